// Writes packages/<name>/api.txt: what each package exports, with its types, so that a change of it shows in review. `pnpm api` renews them.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { publicPackages, root, SCOPE } from '../packaging/workspace';

const HEADING = 'What this package exports. Made by `pnpm api`; a change here is a change for users and wants a changeset.';

const libraries = publicPackages().filter(({ kind }) => kind === 'library');
const doorOf = (folder: string): string => join(folder, 'src/index.ts');

/** All libraries from their doors on, as TypeScript sees them. */
export function readLibraries(): ts.Program {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  return ts.createProgram(
    libraries.map(({ folder }) => doorOf(folder)),
    { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, removeComments: true },
  );
}

/** The reports of all libraries, by file. */
export function reports(program: ts.Program): Map<string, string> {
  const declared = new Map<ts.SourceFile, Map<string, string[]>>();
  return new Map(
    libraries.map(({ folder, manifest }) => [
      join(folder, 'api.txt'),
      `${HEADING}\n\n${report(program, program.getSourceFile(doorOf(folder))!, folder, manifest.name, declared)}`,
    ]),
  );
}

function report(
  program: ts.Program,
  door: ts.SourceFile,
  folder: string,
  name: string,
  declared: Map<ts.SourceFile, Map<string, string[]>>,
): string {
  const checker = program.getTypeChecker();
  const entries = new Map<string, string>();
  const add = (exported: ts.Symbol, prefix: string): void => {
    const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const shown = prefix + exported.name;
    // `export * as name`
    if (target.flags & ts.SymbolFlags.ValueModule) {
      for (const one of checker.getExportsOfModule(target)) add(one, `${shown}.`);
      return;
    }
    const file = target.declarations?.[0]?.getSourceFile();
    if (!file) throw new Error(`${name}: the declaration of ${shown} was not found`);
    if (relative(folder, file.fileName).startsWith('..')) {
      const [, ours] = /\/packages\/([\w-]+)\//.exec(file.fileName) ?? [];
      const origin = ours ? SCOPE + ours : relative(root, file.fileName).replace(/^.*node_modules\//, '');
      entries.set(shown, `${shown}: of ${origin}`);
      return;
    }
    const statements = declared.get(file) ?? declarationsOf(program, file);
    declared.set(file, statements);
    const found = statements.get(target.name);
    if (!found) throw new Error(`${name}: nothing declares ${target.name} in ${relative(root, file.fileName)}`);
    entries.set(shown, (target.name === shown ? '' : `${shown} = `) + found.join('\n'));
  };
  for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(door)!)) add(exported, '');
  const order = [...entries.keys()].sort((a, b) => (a < b ? -1 : 1));
  return `${order.map((key) => entries.get(key)).join('\n\n')}\n`;
}

/** The statements of a file's declaration file by the names that they declare, without what is private. */
function declarationsOf(program: ts.Program, file: ts.SourceFile): Map<string, string[]> {
  let text = '';
  program.emit(file, (_, written) => (text = written), undefined, true);
  const source = ts.createSourceFile('declarations.d.ts', text, ts.ScriptTarget.Latest, true);
  const found = new Map<string, string[]>();
  for (const statement of source.statements) {
    const names = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.map((one) => one.name)
      : [(statement as ts.DeclarationStatement).name];
    const shown = statement
      .getText(source)
      .replace(/^export (default )?(declare )?|^declare /, '')
      .replace(/\n {4}(static )?(private\b|#private)[^\n]*;/g, '')
      .replace(/^( {4})+/gm, (indent) => '  '.repeat(indent.length / 4));
    for (const name of names.filter((one) => one !== undefined))
      found.set(name.getText(source), [...(found.get(name.getText(source)) ?? []), shown]);
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of reports(readLibraries())) {
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
    writeFileSync(file, text);
    console.log(`${relative(root, file)} changed`);
  }
}
