/** Owns the completion script for fish, 3.0 or newer: a `complete` line for everything that can be typed, each with its place. Pure. */
import { allNodes, type CommandNode, type OptionNode, type ValueKind } from "./command-tree.ts";

export function fishScript(root: CommandNode): string {
  const nodes = allNodes(root);
  const valued = nodes.flatMap(({ options }) =>
    options.flatMap(({ names, value }) => (value === undefined ? [] : names)),
  );
  return [functions([...new Set(valued)]), ...nodes.flatMap(linesOf)].join("\n");
}

/** Names of commands, then options, then arguments. */
function linesOf(node: CommandNode): readonly string[] {
  const { path, children, options, args } = node;
  const below = children.map(({ name, help }) => line(path, 0, ["-a", name, "-d", quoted(help)]));
  const help =
    children.length === 0 ? [] : [line(path, 0, ["-a", "help", "-d", "'Show the help of a command.'"])];
  const values = args.map(({ kind, isVariadic }, index) =>
    line(path, isVariadic ? "any" : index, valueWords(kind)),
  );
  return [
    ...below,
    ...help,
    ...options.map((option) => line(path, children.length > 0 ? 0 : "any", optionWords(option))),
    ...values,
  ];
}

function line(path: readonly string[], count: number | "any", words: readonly string[]): string {
  return ["complete -c granary -n", quoted(["__granary_at", count, ...path].join(" ")), ...words].join(" ");
}

function optionWords({ names, value, help }: OptionNode): readonly string[] {
  const spelled = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const takes = value === undefined ? [] : ["-r", ...valueWords(value)];
  return [...spelled, ...takes, "-d", quoted(help)];
}

function valueWords(kind: ValueKind): readonly string[] {
  if (kind === "file") return ["-F"];
  if (kind === "directory") return ["-f -a '(__fish_complete_directories)'"];
  return kind === "text" ? ["-f"] : ["-f -a", quoted(kind.join(" "))];
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}

/** \`valued\` are the options whose next word is their value. */
function functions(valued: readonly string[]): string {
  return `# fish completion for granary. Made by \`granary completion fish\`.
function __granary_words
    set -l is_value no
    for token in (commandline -opc)[2..-1]
        if test $is_value = yes
            set is_value no
            continue
        end
        switch $token
            case help
            case ${valued.join(" ")}
                set is_value yes
            case '-*'
            case '*'
                echo $token
        end
    end
end

# Whether the words so far are these names, with as many words after them as the first argument says.
function __granary_at
    set -l words (__granary_words)
    set -l names $argv[2..-1]
    set -l depth (count $names)
    test (count $words) -ge $depth; or return 1
    if test $depth -gt 0
        test "$words[1..$depth]" = "$names"; or return 1
    end
    test $argv[1] = any; or test (count $words) -eq (math $depth + $argv[1])
end

complete -c granary -f`;
}
