/** Owns how far somebody has come in the events of all nodes, as a text that the next question brings back: "a:17,b:4". Pure. */
import { GranaryError } from "../../errors.ts";

/** By node: the id of one of its events. Ids of two nodes have nothing to do with each other. */
export type Places = ReadonlyMap<string, number>;

const PLACE = /^([A-Za-z0-9._-]{1,253}):([0-9]{1,16})$/;

export function formatPlaces(places: Places): string {
  return [...places].map(([node, id]) => `${node}:${id}`).join(",");
}

/** No text, or an empty one, is no place. `name` says which parameter it is. Throws `config-invalid` for what no answer has given. */
export function parsePlaces(text: string | undefined, name: string): Places {
  if (text === undefined || text === "") return new Map();
  const places = text.split(",").map((place) => PLACE.exec(place));
  return new Map(
    places.map((found) => {
      if (found === null)
        throw new GranaryError("config-invalid", `${name}: expected what an earlier answer gave for it.`);
      return [found[1] ?? "", Number(found[2])];
    }),
  );
}
