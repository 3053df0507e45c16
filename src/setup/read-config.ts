/** Owns reading clients' files for others than setup, by the formats that setup edits them in. It changes nothing. */
import type { PlainTree } from "./change.ts";
import { jsonFormat } from "./formats/json.ts";
import { tomlFormat } from "./formats/toml.ts";
import { yamlFormat } from "./formats/yaml.ts";

/** Throw `config-invalid`, a clause, for a text that the client cannot read either. */
export const readJsonConfig = (text: string): PlainTree => jsonFormat.read(bare(text));
export const parseTomlTree = (text: string): PlainTree => tomlFormat.read(bare(text));
export const parseYamlTree = (text: string): PlainTree => yamlFormat.read(bare(text));

function bare(text: string): string {
  return text.replace(/^\uFEFF/, "");
}
