/** Owns the completion script for zsh: a function for each command, made of zsh's own `_arguments`. Pure. */
import {
  type ArgumentNode,
  allNodes,
  type CommandNode,
  type OptionNode,
  type ValueKind,
} from "./command-tree.ts";

export function zshScript(root: CommandNode): string {
  const functions = allNodes(root).map((node) =>
    node.children.length > 0 ? groupFunction(node) : verbFunction(node),
  );
  return [HEAD, ...functions, TAIL].join("\n\n");
}

const HEAD = "#compdef granary\n# zsh completion for granary. Made by `granary completion zsh`.";

/** Read from a folder of $fpath it is the function itself; read by `source` it has to be said what it is for. */
const TAIL = `if [[ $funcstack[1] == _granary ]]; then
  _granary "$@"
else
  compdef _granary granary
fi`;

function verbFunction(node: CommandNode): string {
  const specs = [...node.options.map(optionSpec), ...node.args.map(argumentSpec)];
  return `${functionOf(node)}() {\n  _arguments ${specs.join(" \\\n    ")}\n}`;
}

/** `help` is followed by the same names as the command itself. */
function groupFunction(node: CommandNode): string {
  const names = node.children.map(({ name, help }) => quoted(`${name}:${help}`));
  const cases = node.children.map((child) => `      ${child.name}) ${functionOf(child)} ;;`);
  const specs = node.options
    .map(optionSpec)
    .map((spec) => `${spec} `)
    .join("");
  return `${functionOf(node)}() {
  local context state state_descr line
  typeset -A opt_args
  local -a names=(
    ${[...names, quoted("help:Show the help of a command.")].join("\n    ")}
  )
  _arguments -C ${specs}'1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands command names ;;
    rest) case $line[1] in
${cases.join("\n")}
      help) ${functionOf(node)} ;;
    esac ;;
  esac
}`;
}

function functionOf({ path }: CommandNode): string {
  return ["_granary", ...path].join("_");
}

function optionSpec({ names, value, label, help }: OptionNode): string {
  const text = `[${help.replace(/[[\]\\]/g, "\\$&")}]`;
  const takes = value === undefined ? "" : `:${messageOf(label)}:${actionOf(value)}`;
  const spell = (name: string) => (value !== undefined && name.startsWith("--") ? `${name}=` : name);
  const [only = ""] = names;
  if (names.length === 1) return quoted(`${spell(only)}${text}${takes}`);
  return `${quoted(`(${names.join(" ")})`)}{${names.map(spell).join(",")}}${quoted(`${text}${takes}`)}`;
}

/** Where nothing is known of an argument, it must not stand in the way of options (`_guard`). */
function argumentSpec({ kind, label, isVariadic }: ArgumentNode): string {
  const action = kind === "text" ? `_guard "^-*" ${label}` : actionOf(kind);
  return quoted(`${isVariadic ? "*" : ""}:${messageOf(label)}:${action}`);
}

function actionOf(kind: ValueKind): string {
  if (kind === "file") return "_files";
  if (kind === "directory") return "_files -/";
  return kind === "text" ? " " : `(${kind.join(" ")})`;
}

function messageOf(label: string): string {
  return label.replaceAll(":", "\\:");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
