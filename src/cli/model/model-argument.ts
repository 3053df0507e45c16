/** Owns how the help of the model verbs explains what names a model. */
export const MODEL_ARGUMENT = [
  "<name>",
  "gemma:2b, user/model, hf.co/org/model:Q4_K_M or host:port/namespace/model:tag",
] as const;
