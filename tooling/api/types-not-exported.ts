import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../packaging/workspace';

/**
 * The types of this workspace that the signatures of a package name and that it does not export itself, each with who names it.
 *
 * Looked at are the functions and classes that it exports, also those of other packages, and the types that it declares; not the types that
 * it only passes on.
 */
export function typesNotExported(program: ts.Program, short: string): string[] {
  const checker = program.getTypeChecker();
  const folder = join(root, 'packages', short, 'src/');
  const declaredIn = (symbol: ts.Symbol): string => symbol.declarations?.[0]?.getSourceFile().fileName ?? '';
  const aimOf = (symbol: ts.Symbol): ts.Symbol => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const door = checker.getSymbolAtLocation(program.getSourceFile(join(folder, 'index.ts'))!)!;
  const exports = checker.getExportsOfModule(door);
  const exported = new Set(exports.map(aimOf));
  const missing = new Set<string>();
  const seen = new Set<ts.Symbol>();

  const look = (symbol: ts.Symbol): void => {
    if (seen.has(symbol)) return;
    seen.add(symbol);
    for (const declaration of symbol.declarations ?? []) visit(declaration, symbol.name);
  };
  const visit = (node: ts.Node, owner: string): void => {
    if (isHidden(node)) return;
    const name = typeNameOf(node);
    const found = name && checker.getSymbolAtLocation(name);
    if (found) {
      const symbol = aimOf(found);
      const isType = (symbol.flags & ts.SymbolFlags.Type) !== 0 && (symbol.flags & ts.SymbolFlags.TypeParameter) === 0;
      if (isType && !exported.has(symbol)) {
        // A type that the package keeps to itself is a shorthand for what it names.
        if (declaredIn(symbol).startsWith(folder) && ts.isTypeAliasDeclaration(symbol.declarations![0]!)) look(symbol);
        else if (declaredIn(symbol).startsWith(join(root, 'packages/'))) missing.add(`${symbol.name}, which ${owner} names`);
      }
    }
    ts.forEachChild(node, (child) => visit(child, owner));
  };
  for (const one of exports) if (!isTypeOnly(one) || declaredIn(aimOf(one)).startsWith(folder)) look(aimOf(one));
  return [...missing].sort();
}

const isTypeOnly = ({ declarations }: ts.Symbol): boolean =>
  declarations?.some((one) => ts.isExportSpecifier(one) && (one.isTypeOnly || one.parent.parent.isTypeOnly)) ?? false;

/** Bodies, and members that only the class itself sees. A private parameter of a constructor is still a parameter. */
const isHidden = (node: ts.Node): boolean =>
  ts.isBlock(node) ||
  (ts.isClassElement(node) &&
    ts.canHaveModifiers(node) &&
    !!ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword));

const typeNameOf = (node: ts.Node): ts.Node | undefined =>
  ts.isTypeReferenceNode(node) ? node.typeName : ts.isExpressionWithTypeArguments(node) ? node.expression : undefined;
