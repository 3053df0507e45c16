/** Owns edits of a kind cluster's configuration: folders of this machine that every node of the cluster sees. */
import { type Document, isMap, isSeq, type YAMLMap } from "yaml";
import { GranaryError } from "../../errors.ts";
import type { MountEdit, TreeEdit } from "../change.ts";
import { applyEdits, revertEdits } from "../tree-edits.ts";
import { parseYaml, withDocument, yamlFormat } from "./yaml.ts";

type KindEdit = TreeEdit | MountEdit;

/** What a new file begins with; kind makes one node where none is named, and a mount needs one that is. */
export const NEW_CLUSTER = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
`;

export function applyKind(text: string, edits: readonly KindEdit[]): string {
  const mounted = mountsOf(edits).reduce(mount, text);
  return applyEdits(yamlFormat, mounted, edits.filter(isTreeEdit));
}

export function revertKind(text: string, edits: readonly KindEdit[], before: string): string {
  const bare = mountsOf(edits).reduce((edited, edit) => unmount(edited, edit, before), text);
  return revertEdits(yamlFormat, bare, edits.filter(isTreeEdit), before);
}

function mountsOf(edits: readonly KindEdit[]): MountEdit[] {
  return edits.filter((edit) => edit.does === "mount");
}

function isTreeEdit(edit: KindEdit): edit is TreeEdit {
  return edit.does !== "mount";
}

function mount(text: string, { hostPath, containerPath }: MountEdit): string {
  const isDone = nodesOf(parseYaml(text)).every(
    (node) => mountAt(node, containerPath)?.get("hostPath") === hostPath,
  );
  if (isDone && nodesOf(parseYaml(text)).length > 0) return text;
  return withDocument(text, (document) => {
    if (nodesOf(document).length === 0)
      document.set("nodes", document.createNode([{ role: "control-plane" }]));
    for (const node of nodesOf(document)) {
      const known = mountAt(node, containerPath);
      if (known !== undefined) known.set("hostPath", hostPath);
      else addMount(document, node, { hostPath, containerPath, readOnly: true });
    }
  });
}

function addMount(document: Document, node: YAMLMap, entry: object): void {
  const mounts = node.get("extraMounts");
  if (isSeq(mounts)) mounts.add(document.createNode(entry));
  else node.set("extraMounts", document.createNode([entry]));
}

function unmount(text: string, { hostPath, containerPath }: MountEdit, before: string): string {
  const had = nodesOf(parseYaml(before)).map((node) => mountAt(node, containerPath)?.get("hostPath"));
  return withDocument(text, (document) => {
    nodesOf(document).forEach((node, index) => {
      const mounts = node.get("extraMounts");
      const known = mountAt(node, containerPath);
      if (!isSeq(mounts) || known?.get("hostPath") !== hostPath) return;
      const was = had[index];
      if (was !== undefined) known.set("hostPath", was);
      else mounts.delete(mounts.items.indexOf(known));
      if (mounts.items.length === 0) node.delete("extraMounts");
    });
    if (had.length === 0 && isUntouched(document)) document.delete("nodes");
  });
}

/** The one node that was made for the mount, with nothing else in it. */
function isUntouched(document: Document): boolean {
  const [node, ...others] = nodesOf(document);
  return others.length === 0 && node?.items.length === 1 && node.get("role") === "control-plane";
}

/** Throws where a node stands there in another form: it would be left out, or be changed together with others. */
function nodesOf(document: Document): YAMLMap[] {
  const nodes = document.get("nodes");
  if (nodes === undefined || nodes === null) return [];
  const found = isSeq(nodes) ? nodes.items.filter((item) => isMap(item)) : [];
  if (isSeq(nodes) && nodes.items.length === found.length) return found;
  const why =
    "its nodes are not all written out (one is an alias, perhaps): write them out, or add the mount by hand";
  throw new GranaryError("config-invalid", why);
}

function mountAt(node: YAMLMap, containerPath: string): YAMLMap | undefined {
  const mounts = node.get("extraMounts");
  const found = isSeq(mounts) ? mounts.items.filter((item) => isMap(item)) : [];
  return found.find((item) => item.get("containerPath") === containerPath);
}
