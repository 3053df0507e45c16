/**
 * Owns which keys a schema takes at a place in a document, so that an error can list them. It knows no section: whatever is added to the
 * schema is listed by itself. Pure.
 */
import { z } from "zod";

/** The keys that `schema` has at `path`; none where no object with keys of its own stands there. */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  let reached = insideOf(schema);
  for (const key of path) reached = reached.flatMap((each) => below(each, key)).flatMap(insideOf);
  return reached.flatMap((each) => (each instanceof z.ZodObject ? Object.keys(each.shape) : []));
}

/** What may stand there, without what makes it optional; several for a union. */
function insideOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return insideOf(schema.unwrap());
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(insideOf);
  return [schema];
}

function below(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType[] {
  if (schema instanceof z.ZodArray) return [schema.element];
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  if (!(schema instanceof z.ZodObject)) return [];
  const shape: Readonly<Record<PropertyKey, z.core.$ZodType | undefined>> = schema.shape;
  const found = Object.hasOwn(shape, key) ? shape[key] : undefined;
  return found === undefined ? [] : [found];
}
