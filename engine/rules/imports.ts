import { SyntaxKind } from "typescript/unstable/ast";

/** `import { one as other } from "lib/status"`: what a rule or a library takes from a shared library. */
export interface Import {
  /** The name behind `lib/`. */
  readonly library: string;
  /** Pairs of the library's name and the name here. */
  readonly names: readonly (readonly [string, string])[];
  readonly start: number;
  readonly end: number;
}

/** A text with its imports and exports read and blanked out: what is left stands where it stood. */
export interface Linked {
  readonly source: string;
  readonly imports: readonly Import[];
  /** Pairs of the exported name and the local one. Types are not among them. */
  readonly exports: readonly (readonly [string, string])[];
  readonly problems: readonly { readonly message: string; readonly start: number; readonly end: number }[];
}

/**
 * Reads the statements that tie texts together. Libraries are not modules of the isolate, because a module's state would outlive the run:
 * they become functions that each run calls anew. So what is imported is what there was when the library had been run through.
 */
export function linkedText(source: string, statements: Iterable<unknown>, kind: "rule" | "library", known: readonly string[]): Linked {
  const imports: Import[] = [];
  const exports = new Map<string, string>();
  const problems: { message: string; start: number; end: number }[] = [];
  const blanks: { start: number; end: number; isStatement: boolean }[] = [];
  // The members of a statement go by its kind; those named in `Statement` are what is asked here.
  const all = [...(statements as Iterable<Statement>)].map((statement) => ({ statement, start: startOf(source, statement), end: statement.end }));
  const changing = new Set(all.flatMap(({ statement }) => (isChanging(source, statement) ? variableNames(statement) : [])));
  const types = typeNames(all.map(({ statement }) => statement));
  for (const { statement, start, end } of all) {
    const complain = (message: string): void => void problems.push({ message, start, end });
    if (statement.kind === SyntaxKind.ImportDeclaration || statement.kind === SyntaxKind.ImportEqualsDeclaration) {
      const found = importOf(statement, known);
      if (typeof found === "string") complain(found);
      else if (found !== undefined) imports.push({ ...found, start, end });
      blanks.push({ start, end, isStatement: true });
      continue;
    }
    const keyword = statement.modifiers?.find((modifier) => modifier.kind === SyntaxKind.ExportKeyword);
    const isExport = statement.kind === SyntaxKind.ExportDeclaration || statement.kind === SyntaxKind.ExportAssignment || keyword !== undefined;
    if (!isExport) continue;
    if (kind === "rule") {
      complain("a rule has no exports: what it sets on `replica` or `entity` is its result");
      continue;
    }
    if (keyword === undefined) {
      const found = exportsOf(statement);
      if (typeof found === "string") complain(found);
      else for (const [exported, local] of found) if (!types.has(local)) exports.set(exported, local);
      blanks.push({ start, end, isStatement: true });
    } else {
      if (statement.modifiers?.some((modifier) => modifier.kind === SyntaxKind.DefaultKeyword)) complain(namedOnly);
      for (const name of valueNames(statement)) exports.set(name, name);
      blanks.push({ start: keyword.end - "export".length, end: keyword.end, isStatement: false });
    }
    for (const local of new Set(exports.values())) {
      if (changing.has(local)) complain(`"${local}" may change after others have imported it: export a const, or a function that answers it`);
      changing.delete(local);
    }
  }
  return { source: blanked(source, blanks), imports, exports: [...exports], problems };
}

interface Node {
  readonly kind: SyntaxKind;
  readonly pos: number;
  readonly end: number;
}

interface Named {
  readonly name?: NameNode;
  readonly propertyName?: NameNode;
  readonly isTypeOnly?: boolean;
}

interface NameNode extends Node {
  readonly text?: string;
  /** Of a pattern: `const { a, b } = …`. */
  readonly elements?: Iterable<Named>;
}

interface Statement extends Node {
  readonly modifiers?: readonly Node[];
  readonly name?: NameNode;
  readonly body?: Node;
  readonly declarationList?: Node & { readonly declarations: Iterable<Named> };
  readonly importClause?: {
    readonly name?: NameNode;
    readonly phaseModifier?: SyntaxKind;
    readonly namedBindings?: Node & { readonly elements?: Iterable<Named> };
  };
  readonly exportClause?: Node & { readonly elements?: Iterable<Named> };
  readonly isTypeOnly?: boolean;
  readonly moduleSpecifier?: Node & { readonly text?: string };
}

const namedOnly = "a library has named exports only: export const, export function or export class";

/** In words what is wrong with an import; undefined for one of types alone. */
function importOf(statement: Statement, known: readonly string[]): Pick<Import, "library" | "names"> | string {
  const specifier = statement.moduleSpecifier?.text;
  const library = specifier === undefined ? undefined : /^lib\/([\w-]+)$/.exec(specifier)?.[1];
  if (library === undefined) return 'a rule can import shared libraries only: import { name } from "lib/name"';
  if (!known.includes(library)) {
    return `there is no library "${library}": ${known.length === 0 ? "there is none at all" : `there are ${known.map((name) => `lib/${name}`).join(", ")}`}`;
  }
  const clause = statement.importClause;
  const elements = clause?.namedBindings?.elements;
  if (clause === undefined || clause.name !== undefined || elements === undefined)
    return `names are imported from a library one by one: import { name } from "lib/${library}"`;
  if (clause.phaseModifier !== undefined) return { library, names: [] };
  const names = [...elements].filter((element) => element.isTypeOnly !== true).map((element) => pairOf(element));
  return { library, names };
}

function exportsOf(statement: Statement): readonly (readonly [string, string])[] | string {
  if (statement.moduleSpecifier !== undefined) return "a library cannot pass on what another one exports: import it, then export a const";
  const elements = statement.exportClause?.elements;
  if (statement.kind === SyntaxKind.ExportAssignment || elements === undefined) return namedOnly;
  if (statement.isTypeOnly === true) return [];
  return [...elements].filter((element) => element.isTypeOnly !== true).map((element) => [pairOf(element)[1], pairOf(element)[0]] as const);
}

/** `a as b` gives both; a name alone stands for itself. */
function pairOf({ name, propertyName }: Named): readonly [string, string] {
  const here = name?.text ?? "";
  return [propertyName?.text ?? here, here];
}

/** The names that a statement gives to values. */
function valueNames(statement: Statement): readonly string[] {
  if (statement.modifiers?.some((modifier) => modifier.kind === SyntaxKind.DeclareKeyword)) return [];
  if (statement.declarationList !== undefined) return variableNames(statement);
  if (statement.kind !== SyntaxKind.FunctionDeclaration && statement.kind !== SyntaxKind.ClassDeclaration) return [];
  return statement.name?.text === undefined ? [] : [statement.name.text];
}

function variableNames(statement: Statement): readonly string[] {
  return [...(statement.declarationList?.declarations ?? [])].flatMap((declaration) => boundNames(declaration.name));
}

function boundNames(name: NameNode | undefined): readonly string[] {
  if (name === undefined) return [];
  if (name.elements === undefined) return name.text === undefined ? [] : [name.text];
  return [...name.elements].flatMap((element) => boundNames(element.name));
}

function isChanging(source: string, statement: Statement): boolean {
  const list = statement.declarationList;
  return list !== undefined && /^(let|var)\b/.test(source.slice(startOf(source, list), list.end));
}

function typeNames(statements: readonly Statement[]): ReadonlySet<string> {
  const isType = ({ kind }: Statement): boolean => kind === SyntaxKind.InterfaceDeclaration || kind === SyntaxKind.TypeAliasDeclaration;
  const values = new Set(statements.flatMap((statement) => valueNames(statement)));
  return new Set(
    statements.filter((statement) => isType(statement)).flatMap(({ name }) => (name?.text === undefined || values.has(name.text) ? [] : [name.text])),
  );
}

/** Behind the space and the comments in front of a node. */
function startOf(source: string, node: Node): number {
  const match = /^(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*[\s\S]*?\*\/)*/.exec(source.slice(node.pos, node.end));
  return node.pos + (match?.[0].length ?? 0);
}

/** Line ends stay. A statement leaves a semicolon, so that the one before it and the one behind it do not become one. */
function blanked(source: string, blanks: readonly { readonly start: number; readonly end: number; readonly isStatement: boolean }[]): string {
  let text = source;
  for (const { start, end, isStatement } of blanks) {
    const space = text.slice(start, end).replace(/[^\n\r\u2028\u2029]/g, " ");
    text = text.slice(0, start) + (isStatement ? `;${space.slice(1)}` : space) + text.slice(end);
  }
  return text;
}
