/**
 * Owns two functions that a part of the certificate library looks for before it runs (the metadata of decorators, which no JavaScript engine
 * has). It asks them about its own classes only, which carry no metadata: "nothing is known" is the whole answer. What is there already stays.
 */
const nothing = () => undefined;

for (const name of ["getMetadata", "getOwnMetadata"]) {
  if (!(name in Reflect))
    Object.defineProperty(Reflect, name, { value: nothing, configurable: true, writable: true });
}
