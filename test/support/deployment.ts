/** Owns the deployment files as tests read them: parsed, with merges and variables resolved as their tools do. What tests say of them is theirs. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

export const CONFIG = join(import.meta.dirname, "..", "..", "config");

type Service = {
  readonly build?: string;
  readonly image?: string;
  readonly hostname?: string;
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly configs?: readonly { readonly source: string }[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly stop_grace_period?: string;
};

export type Compose = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
  readonly networks: object;
  readonly configs: Readonly<Record<string, { readonly content: string }>>;
};

/** Its variables are filled in from `env`, or with their defaults. */
export async function readCompose(name: string, env: Readonly<Record<string, string>>): Promise<Compose> {
  const text = await readConfigFile(name);
  const filled = text.replaceAll(
    /\$\{(\w+):([?-])([^}]*)\}/g,
    (_, variable: string, kind: string, rest: string) => env[variable] ?? (kind === "-" ? rest : ""),
  );
  return parse(filled, { merge: true }) as Compose;
}

type Probe = { readonly httpGet: { readonly path: string; readonly port: string } };

export type Container = {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly {
    readonly name: string;
    readonly valueFrom: {
      readonly fieldRef?: { readonly fieldPath: string };
      readonly secretKeyRef?: { readonly name: string; readonly key: string };
    };
  }[];
  readonly securityContext: object;
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly resources: { readonly limits: object; readonly requests: object };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
};

type Labels = Readonly<Record<string, string>>;

export type Pod = {
  readonly securityContext: object;
  readonly terminationGracePeriodSeconds: number;
  readonly enableServiceLinks: boolean;
  readonly topologySpreadConstraints: readonly { readonly labelSelector: { readonly matchLabels: Labels } }[];
  readonly containers: readonly [Container];
  readonly volumes: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
};

export type Manifest = {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  /** Of a Secret. */
  readonly stringData?: Readonly<Record<string, string>>;
  /** What of it is there depends on the kind. */
  readonly spec: {
    readonly replicas: number;
    readonly serviceName: string;
    readonly clusterIP?: string;
    readonly maxUnavailable?: number;
    readonly selector: Labels & { readonly matchLabels: Labels };
    readonly podSelector: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod };
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly ingress: readonly {
      readonly from?: readonly { readonly podSelector: { readonly matchLabels: Labels } }[];
      readonly ports: readonly { readonly port: string }[];
    }[];
    readonly volumeClaimTemplates: readonly {
      readonly metadata: { readonly name: string };
      readonly spec: { readonly resources: { readonly requests: { readonly storage: string } } };
    }[];
  };
};

/** All documents of a file; throws for one that cannot be read, or has a key twice. */
export async function readManifests(name: string): Promise<readonly Manifest[]> {
  return parseAllDocuments(await readConfigFile(name)).map((document) => {
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) throw error;
    return document.toJS() as Manifest;
  });
}

export async function readConfigFile(name: string): Promise<string> {
  return await readFile(join(CONFIG, name), "utf8");
}
