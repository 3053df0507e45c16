/**
 * Owns that each node of a fleet is asked, all at once, and that whoever cannot answer is named with the reason. A node that is gone is not even
 * asked. It believes nothing that comes.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { RecordsQuestion } from "../peers/peer-request.ts";
import type { Peers } from "../peers/peers.ts";
import type { FleetView, ShownNode } from "../view/fleet-view.ts";
import type { Heard, MissingNode } from "./fleet-records.ts";
import type { NodeTold } from "./merge-events.ts";
import type { OwnRecords } from "./own-records.ts";

export type AskedParts = {
  readonly view: Pick<FleetView, "nodes">;
  readonly peers: Pick<Peers, "records">;
  readonly own: Pick<OwnRecords, "answer">;
};

export type NodesQuestion<Told> = {
  /** One node; undefined: all. */
  readonly node: string | undefined;
  readonly of: (node: string) => RecordsQuestion;
  /** undefined for what is no answer. */
  readonly read: (value: unknown) => Told | undefined;
};

type Asked = Pick<ShownNode, "node" | "address" | "isMe" | "isLive" | "silentMs">;

/** Throws `not-found` for a node that the fleet does not have, and what this node's own database throws. */
export async function askNodes<Told>(
  parts: AskedParts,
  question: NodesQuestion<Told>,
): Promise<{ readonly heard: Heard; readonly all: readonly NodeTold<Told>[] }> {
  const { node, seenAt, nodes } = await parts.view.nodes();
  const known = withMe(nodes, node);
  const wanted = known.filter((each) => question.node === undefined || each.node === question.node);
  if (wanted.length === 0)
    throw new GranaryError("not-found", `There is no node ${question.node} in this fleet.`);
  const answers = await Promise.all(wanted.map((each) => answerOf(each, parts, question)));
  const missing = answers.flatMap((each) => ("reason" in each ? each : []));
  const all = answers.flatMap((each) => ("told" in each ? each : []));
  return { heard: { node, nodes: known.map((each) => each.node), seenAt, missing }, all };
}

/** It knows itself also while the database tells nothing. */
function withMe(nodes: readonly Asked[], node: string): readonly Asked[] {
  const isKnown = nodes.some(({ isMe }) => isMe);
  return isKnown ? nodes : [{ node, address: "", isMe: true, isLive: true, silentMs: 0 }, ...nodes];
}

async function answerOf<Told>(
  asked: Asked,
  { peers, own }: AskedParts,
  { of, read }: NodesQuestion<Told>,
): Promise<NodeTold<Told> | MissingNode> {
  const { node, isMe, isLive } = asked;
  if (!isMe && !isLive) return { node, reason: `Node ${node} is gone: its heartbeat has ended.` };
  try {
    const told = read(isMe ? await own.answer(of(node)) : await peers.records(asked, of(node)));
    return told === undefined ? { node, reason: `What node ${node} tells cannot be read.` } : { node, told };
  } catch (error) {
    if (isMe || !isGranaryError(error)) throw error;
    return { node, reason: error.message };
  }
}
