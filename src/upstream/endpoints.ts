/**
 * Owns the order in which an upstream's endpoints are tried. One that failed goes behind the others, and comes back to
 * the front by their failing. It sends nothing.
 */
export class Endpoints {
  #order: readonly string[];

  constructor(endpoints: readonly string[]) {
    this.#order = endpoints.map((endpoint) => endpoint.replace(/\/+$/, ""));
  }

  /** Base URLs without a trailing slash, best first. */
  get order(): readonly string[] {
    return this.#order;
  }

  demote(endpoint: string): void {
    if (this.#order.at(-1) === endpoint || !this.#order.includes(endpoint)) return;
    this.#order = [...this.#order.filter((other) => other !== endpoint), endpoint];
  }
}
