/** Owns the part of help texts that says how names are written in patterns, the same in every verb that takes one. */

export const PATTERN_HELP = `
A pattern names images and models, here and everywhere in Granary:
  alpine              every tag of docker.io/library/alpine
  alpine:3.*          its tags that begin with "3."
  ghcr.io/org/**      everything below ghcr.io/org
  ollama:llama3.2     the model llama3.2 of Ollama's registry
  '*@sha256:...'      one digest, wherever it is; its beginning and * are enough
  '*'                 everything (quote the stars, so that your shell leaves them alone)`;
