/** Owns the section `fleet.bucket` of the configuration: which object store the nodes share, and by which keys they reach it. */
import { z } from "zod";
import { GranaryError } from "../../errors.ts";
import { passwordFrom } from "../files.ts";
import type { NamedFiles } from "../named-files.ts";
import type { FleetSettings } from "../settings.ts";
import { SIZE, size } from "../units.ts";

const DEFAULT_REGION = "us-east-1";

export const bucketSection = z
  .strictObject(
    {
      endpoint: z
        .url({ protocol: /^https?$/, error: "expected a URL such as https://s3.lab:8333" })
        .optional()
        .describe("Base URL of the S3-compatible store; Amazon's own of the region when left out."),
      region: z
        .string()
        .regex(/^[A-Za-z0-9-]{1,64}$/, { error: "expected a name such as eu-central-1" })
        .optional()
        .describe("Region of the bucket, which every request is signed for."),
      name: z
        .string({ error: "expected the name of a bucket" })
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/, { error: "expected the name of a bucket" })
        .describe("Name of the bucket, which must be there."),
      prefix: z
        .string()
        .regex(/^[A-Za-z0-9._/-]{0,200}$/, {
          error: "expected letters, digits, dots, dashes, underscores and /",
        })
        .optional()
        .describe("What stands before every key in it, such as granary/."),
      accessKey: z
        .string()
        .min(1)
        .optional()
        .describe(
          "The access key; without it the AWS SDK looks in the environment, in ~/.aws and for the machine's role.",
        ),
      secretKey: z
        .string()
        .min(1)
        .optional()
        .describe("The secret that belongs to it; write it as $" + "{ENV_NAME}."),
      secretKeyFile: z.string().optional().describe("A file that holds the secret key."),
      pathStyle: z
        .boolean()
        .optional()
        .describe(
          "Whether the bucket's name stands in the path and not in the host name; it does with an endpoint unless you say false.",
        ),
      maxSize: size
        .optional()
        .describe(`The most that the bucket may hold; beyond that what was used longest ago goes: ${SIZE}.`),
    },
    { error: "expected keys such as endpoint and name" },
  )
  .describe("The S3-compatible object store that all nodes share.");

type BucketFile = z.infer<typeof bucketSection>;

/** Throws `config-invalid`. */
export async function bucketSettings(
  written: BucketFile,
  files: NamedFiles,
): Promise<FleetSettings["bucket"]> {
  const { endpoint, region = DEFAULT_REGION, name, prefix = "", pathStyle, maxSize } = written;
  if (endpoint !== undefined) checkEndpoint(new URL(endpoint));
  return {
    endpoint: endpoint?.replace(/\/+$/, ""),
    region,
    name,
    prefix: normalized(prefix),
    keys: await keysOf(written, files),
    pathStyle: pathStyle ?? endpoint !== undefined,
    ...(maxSize !== undefined && { maxSize }),
  };
}

function checkEndpoint({ username, password, search, hash }: URL): void {
  if (username !== "" || password !== "")
    throw invalid("endpoint", "a login belongs in accessKey and secretKey");
  if (search !== "" || hash !== "") throw invalid("endpoint", "expected a URL without a query");
}

/** "" or a text that ends with "/" and begins with none. */
function normalized(prefix: string): string {
  const parts = prefix.split("/").filter((part) => part !== "");
  if (parts.some((part) => part === "." || part === ".."))
    throw invalid("prefix", "expected a prefix without . and .. as a part of it");
  return parts.map((part) => `${part}/`).join("");
}

async function keysOf(
  { accessKey, secretKey, secretKeyFile }: BucketFile,
  files: NamedFiles,
): Promise<FleetSettings["bucket"]["keys"]> {
  const found = await files.password(["fleet.bucket", secretKey, secretKeyFile], () =>
    passwordFrom("fleet.bucket", { password: secretKey, passwordFile: secretKeyFile }, "secretKey"),
  );
  if (accessKey === undefined && found === undefined) return undefined;
  if (accessKey !== undefined && found !== undefined) return { accessKey, secretKey: found };
  const missing = accessKey === undefined ? "accessKey" : "secretKey";
  throw invalid(missing, "accessKey and secretKey (or secretKeyFile) go together");
}

function invalid(key: string, message: string): GranaryError {
  return new GranaryError("config-invalid", `fleet.bucket.${key}: ${message}.`);
}
