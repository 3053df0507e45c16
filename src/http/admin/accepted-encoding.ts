/** Owns in which form of compression an answer leaves, by what the request says it takes (RFC 9110, 12.5.3). Pure. */

const OFFERED = ["br", "gzip"] as const;

/** A form of compression that is offered here, the smallest first. */
export type Encoding = (typeof OFFERED)[number];

/** The one of the offered forms that `header` wants most, of equals the smaller; undefined: as it is. A form with quality 0 is never taken. */
export function acceptedEncoding(header: string | undefined): Encoding | undefined {
  const wanted = new Map((header ?? "").split(",").map(readOne));
  const qualityOf = (name: string) => wanted.get(name) ?? wanted.get("*") ?? 0;
  const plain = wanted.get("identity") ?? 0;
  const fit = OFFERED.filter((name) => qualityOf(name) > 0 && qualityOf(name) >= plain);
  return fit.sort((a, b) => qualityOf(b) - qualityOf(a))[0];
}

/** " gzip;q=0.5 " -> ["gzip", 0.5]; a quality that is none counts as 0. */
function readOne(text: string): readonly [string, number] {
  const [name = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const given = parameters.find((part) => part.startsWith("q="))?.slice(2);
  if (given === undefined) return [name, 1];
  return [name, /^[01](\.\d{0,3})?$/.test(given) ? Math.min(1, Number(given)) : 0];
}
