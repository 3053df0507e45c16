/** Owns the completion script for bash, 3.2 (macOS) or newer: a table of the commands, and a function that walks along it. Pure. */
import { allNodes, type CommandNode, type ValueKind } from "./command-tree.ts";

export function bashScript(root: CommandNode): string {
  const cases = allNodes(root).map((node) => `    ${caseOf(root, node)}`);
  return `${TABLE_HEAD}\n${cases.join("\n")}\n${TABLE_TAIL}\n${WALK}`;
}

function caseOf(root: CommandNode, { path, options, args, children }: CommandNode): string {
  const optionWords = options.flatMap(({ names, value }) =>
    names.map((name) => (value === undefined ? name : `${name}=${wordOf(value)}`)),
  );
  const argWords = args.map(({ kind, isVariadic }) => `${wordOf(kind)}${isVariadic ? "+" : ""}`);
  const fields = [
    `commands='${children.map(({ name }) => name).join(" ")}'`,
    `options='${optionWords.join(" ")}'`,
    `args='${argWords.join(" ")}'`,
  ];
  return `'${[root.name, ...path].join(" ")}') ${fields.join(" ")} ;;`;
}

function wordOf(kind: ValueKind): string {
  return typeof kind === "string" ? kind : kind.join("|");
}

const TABLE_HEAD = `# bash completion for granary. Made by \`granary completion bash\`.
_granary_at() {
  commands='' options='' args=''
  case $1 in`;

const TABLE_TAIL = `  esac
}

# What the option $1 takes: file, directory, text, or words with | between them. Nothing for a switch.
_granary_value() {
  kind=''
  for option in $options; do
    [[ $option == "$1="* ]] && kind=\${option#*=}
  done
}
`;

/** The line is split at spaces alone: bash would also split names at a colon, and the arguments could not be counted. */
const WALK = `_granary() {
  local line=\${COMP_LINE:0:COMP_POINT} current='' words=() word path=granary kind='' option position=0 names=''
  local commands options args
  read -ra words <<< "$line"
  if [[ $line != *[[:space:]] ]]; then
    current=\${words[\${#words[@]} - 1]}
    unset "words[\${#words[@]} - 1]"
  fi
  _granary_at "$path"
  for word in "\${words[@]:1}"; do
    if [[ -n $kind ]]; then
      kind='' # The value of the option before.
    elif [[ $word == -* ]]; then
      _granary_value "$word"
    elif [[ " $commands " == *" $word "* ]]; then
      path="$path $word"
      _granary_at "$path"
    elif [[ $word != help ]]; then
      position=$((position + 1))
    fi
  done
  if [[ -z $kind && $current == --*=* ]]; then
    _granary_value "\${current%%=*}"
    current=\${current#*=}
  elif [[ -z $kind && $current == -* ]]; then
    for option in $options; do names="$names \${option%%=*}"; done
  elif [[ -z $kind && -n $commands ]]; then
    names="$commands help"
  elif [[ -z $kind ]]; then
    for word in $args; do
      kind=\${word%+}
      [[ $position -eq 0 || $word == *+ ]] && break
      position=$((position - 1))
      kind=''
    done
  fi
  COMPREPLY=()
  local IFS=$'\\n'
  case $kind in
    # Readline completes them itself, and quotes what has to be quoted; bash 3.2 cannot be asked to.
    file) compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$current")) ;;
    directory) compopt -o dirnames 2>/dev/null || COMPREPLY=($(compgen -d -- "$current")) ;;
    text) ;;
    '') IFS=$' \\n' && COMPREPLY=($(compgen -W "$names" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "\${kind//|/$'\\n'}" -- "$current")) ;;
  esac
}
complete -F _granary granary`;
