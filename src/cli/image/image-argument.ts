/** Owns how the help of the image verbs explains what names an image. */
export const IMAGE_ARGUMENT = [
  "<reference>",
  "alpine, ghcr.io/org/app:1.2, name@sha256:..., ocifile:PATH[#NAME] or docker-daemon:NAME",
] as const;
