/** Owns the version number, as package.json states it. */
import { createRequire } from "node:module";

const manifest: { readonly version: string } = createRequire(import.meta.url)("../package.json");

export const version: string = manifest.version;
