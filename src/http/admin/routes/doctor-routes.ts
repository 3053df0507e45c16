/** Owns `GET /api/v1/doctor`: what the doctor says of this server, its disk, its listeners and its upstreams. It changes nothing. */
import { createRoute, z } from "@hono/zod-openapi";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers } from "../route-shapes.ts";

const findingSchema = z.object({
  area: z.string().openapi({ description: "What was looked at." }),
  level: z.enum(["good", "note", "wrong"]),
  text: z.string(),
  todo: z.string().optional().openapi({ description: "What to do about it." }),
});

const diagnosisSchema = z
  .object({ well: z.boolean(), findings: z.array(findingSchema) })
  .openapi("Diagnosis");

const getDiagnosis = createRoute({
  method: "get",
  path: "/api/v1/doctor",
  tags: ["doctor"],
  summary:
    "What is wrong with this server, its disk, its listeners and its upstreams; clients are looked at by the command, where they run",
  responses: answers(diagnosisSchema, "What was looked at."),
});

export function doctorRoutes(app: AdminApp, { doctor }: Pick<AdminParts, "doctor">): void {
  app.openapi(getDiagnosis, async (context) => {
    const findings = [...(await doctor.examine())];
    return context.json({ well: findings.every(({ level }) => level !== "wrong"), findings }, 200);
  });
}
