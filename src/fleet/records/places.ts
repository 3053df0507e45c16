/** Owns how far somebody has come in the events of all nodes, as a text that the next question brings back: "a:17,b:4". Pure. */
import { GranaryError } from "../../errors.ts";
import type { Places } from "./fleet-records.ts";

/** Some fifty nodes with long names. */
export const LONGEST_PLACES = 8_192;

const PLACE = /^([A-Za-z0-9._-]{1,253}):([0-9]{1,15})$/;

export function formatPlaces(places: Places): string {
  return [...places].map(([node, id]) => `${node}:${id}`).join(",");
}

/** `name` says which parameter it is. Throws `config-invalid` for what no answer has given. */
export function parsePlaces(text: string, name: string): Places {
  const places = text.split(",").map((place) => PLACE.exec(place));
  return new Map(
    places.map((found) => {
      if (found === null)
        throw new GranaryError("config-invalid", `${name}: expected what an earlier answer gave for it.`);
      return [found[1] ?? "", Number(found[2])];
    }),
  );
}
