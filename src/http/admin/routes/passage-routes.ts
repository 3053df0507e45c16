/** Owns what may pass, on the admin face: the rules that allow and deny, what is held back, and letting it through. */
import { createRoute, z } from "@hono/zod-openapi";
import type { AdminParts } from "../admin-parts.ts";
import type { AdminApp } from "../app-kind.ts";
import { answers, changed, changeQuery } from "../route-shapes.ts";

const kind = z.enum(["allow", "deny"]);
const pattern = z.string().min(1).max(1_000);

const ruleSchema = z
  .object({
    kind,
    pattern: z.string(),
    from: z.enum(["settings", "command"]),
    madeAt: z.number().optional().openapi({ description: "Epoch ms; left out for rules of the settings." }),
  })
  .openapi("PassageRule");

export const rulesSchema = z.object({
  items: z.array(ruleSchema),
  cooldowns: z
    .array(z.object({ upstream: z.string(), cooldownMs: z.number() }))
    .openapi({ description: "Upstreams of which what is new has to wait." }),
});

export const ruleChangeSchema = changed({
  kind,
  pattern: z.string().openapi({ description: "As it is stored." }),
  changes: z.boolean().openapi({ description: "False where everything was as wanted already." }),
  refused: z.array(z.string()).openapi({ description: "Stored names that do not pass any more." }),
  passing: z.array(z.string()).openapi({ description: "Stored names that pass again." }),
  isCut: z.boolean().openapi({ description: "There are more of these than are named." }),
  closed: z
    .array(z.string())
    .openapi({ description: "Upstreams of which nothing passes any more but what is allowed." }),
}).openapi("PassageChange");

const heldSchema = z
  .object({
    name: z.string(),
    oldDigest: z.string().optional().openapi({ description: "What is served meanwhile." }),
    newDigest: z.string(),
    firstSeenAt: z.number(),
    passesAt: z.number(),
  })
  .openapi("HeldBack");

export const heldBackSchema = z.object({ items: z.array(heldSchema) });
export const approvalSchema = changed({ approved: z.array(heldSchema) }).openapi("Approval");

export type RuleView = z.infer<typeof ruleSchema>;
export type RuleChange = z.infer<typeof ruleChangeSchema>;
export type HeldView = z.infer<typeof heldSchema>;

const tags = ["rules"];
const json = <Schema extends z.ZodType>(schema: Schema) => ({
  content: { "application/json": { schema } },
  required: true,
});

const listRules = createRoute({
  method: "get",
  path: "/api/v1/rules",
  tags,
  summary: "What may pass: the rules of the settings, then those made by command",
  responses: answers(rulesSchema, "All of them."),
});

const changeRules = createRoute({
  method: "post",
  path: "/api/v1/rules",
  tags,
  summary: "Allow or deny what a pattern stands for, or take such a rule back",
  request: {
    query: changeQuery,
    body: json(z.strictObject({ kind, pattern, remove: z.boolean().default(false) })),
  },
  responses: answers(ruleChangeSchema, "What that means for what is stored."),
});

const heldBack = createRoute({
  method: "get",
  path: "/api/v1/held-back",
  tags,
  summary: "Tags and digests that are too new to pass",
  responses: answers(heldBackSchema, "All of them, the one seen last first."),
});

const approve = createRoute({
  method: "post",
  path: "/api/v1/approve",
  tags,
  summary: "Let through now what is held back",
  request: { query: changeQuery, body: json(z.strictObject({ pattern })) },
  responses: answers(approvalSchema, "What is let through."),
});

export function passageRoutes(app: AdminApp, { passage }: Pick<AdminParts, "passage">): void {
  app.openapi(listRules, (context) => {
    const items = passage.rules().map(({ kind, pattern: { text }, from, madeAt }) => ({
      ...{ kind, pattern: text, from },
      ...(madeAt !== undefined && { madeAt }),
    }));
    return context.json({ items, cooldowns: passage.cooldowns().map((each) => ({ ...each })) }, 200);
  });
  app.openapi(changeRules, async (context) => {
    const { dryRun: isTrial } = context.req.valid("query");
    const { kind, pattern, remove } = context.req.valid("json");
    const effect = await passage.change(kind, pattern, { isRemoval: remove, isTrial });
    const { refused, passing, closed } = effect;
    const lists = { refused: [...refused], passing: [...passing], closed: [...closed] };
    return context.json({ ...effect, ...lists, kind, ...trialOf(isTrial) }, 200);
  });
  app.openapi(heldBack, async (context) => {
    return context.json({ items: (await passage.heldBack()).map((held) => ({ ...held })) }, 200);
  });
  app.openapi(approve, async (context) => {
    const { dryRun: isTrial } = context.req.valid("query");
    const approved = await passage.approve(context.req.valid("json").pattern, isTrial);
    return context.json({ approved: approved.map((held) => ({ ...held })), ...trialOf(isTrial) }, 200);
  });
}

function trialOf(isTrial: boolean) {
  return isTrial ? { dryRun: true as const } : {};
}
