/** Shows that whoever writes down a type that a signature of the library names finds it where the function is: in the index. */
import { dirname, join, resolve } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const SRC = join(ROOT, "src");

function programOf(entry: string): ts.Program {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  return ts.createProgram([entry], { ...options, noEmit: true });
}

/** Names of types that `entry` shows in what it exports, and does not export: "Name (named by X)". */
function missingIn(entry: string): string[] {
  const program = programOf(entry);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const index = source && checker.getSymbolAtLocation(source);
  if (index === undefined) throw new Error(`${entry} exports nothing`);
  const exported = checker.getExportsOfModule(index).map((symbol) => unaliased(checker, symbol));
  const known = new Set(exported);
  const missing = new Set<string>();
  for (const symbol of exported) {
    for (const declaration of symbol.declarations ?? []) {
      for (const named of typesIn(declaration, checker)) {
        if (!known.has(named) && isOurs(named)) missing.add(`${named.name} (named by ${symbol.name})`);
      }
    }
  }
  return [...missing].toSorted();
}

function unaliased(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function isOurs({ declarations = [] }: ts.Symbol): boolean {
  return declarations.some(
    (declaration) =>
      declaration.getSourceFile().fileName.startsWith(`${SRC}/`) &&
      !ts.isTypeParameterDeclaration(declaration),
  );
}

/** Every type that stands by name in what `declaration` shows to its users: not in bodies, and not in what is private. */
function typesIn(declaration: ts.Declaration, checker: ts.TypeChecker): ts.Symbol[] {
  const found: ts.Symbol[] = [];
  const add = (name: ts.Node) => {
    const symbol = checker.getSymbolAtLocation(name);
    if (symbol !== undefined) found.push(unaliased(checker, symbol));
  };
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node) || ts.isConstructorDeclaration(node) || isPrivate(node)) return;
    if (ts.isTypeReferenceNode(node)) add(node.typeName);
    if (ts.isExpressionWithTypeArguments(node)) add(node.expression);
    if (
      (ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node)) &&
      node.initializer !== undefined
    ) {
      if (node.type !== undefined) visit(node.type);
      return;
    }
    if (ts.isParameter(node)) {
      if (node.type !== undefined) visit(node.type);
      return;
    }
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return found;
}

function isPrivate(node: ts.Node): boolean {
  if (!ts.isClassElement(node)) return false;
  const isMarked = ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(isPrivateKeyword) === true;
  return isMarked || (node.name !== undefined && ts.isPrivateIdentifier(node.name));
}

function isPrivateKeyword({ kind }: ts.Modifier): boolean {
  return kind === ts.SyntaxKind.PrivateKeyword;
}

/** Functions whose return type the walk cannot see, because nobody wrote it down. */
function uninferred(entry: string): string[] {
  const program = programOf(entry);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const index = source && checker.getSymbolAtLocation(source);
  const exported = index === undefined ? [] : checker.getExportsOfModule(index);
  return exported
    .map((symbol) => unaliased(checker, symbol))
    .flatMap(({ name, declarations = [] }) => declarations.map((declaration) => ({ name, declaration })))
    .filter(({ declaration }) => ts.isFunctionDeclaration(declaration) && declaration.type === undefined)
    .map(({ name }) => name);
}

test("every type that a public signature names is exported from the index", () => {
  expect(missingIn(join(SRC, "index.ts"))).toEqual([]);
}, 120_000);

test("every public function says what it returns, but for the one that returns what another package makes", () => {
  expect(uninferred(join(SRC, "index.ts"))).toEqual(["createMetrics"]);
}, 120_000);

test("the walk finds what is missing", () => {
  const missing = missingIn(join(dirname(import.meta.dirname), "../src/library/models.ts"));
  expect(missing).toContain("LibraryOptions (named by modelManifest)");
  expect(missing).toContain("ModelLayer (named by ModelWeights)");
}, 120_000);
