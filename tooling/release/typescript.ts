import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';
import { root, SCOPE } from '../packaging/workspace';

/** Ways in which projects of TypeScript find a package. */
export const RESOLUTIONS = {
  node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
} as const;

/** Declarations of the language and of Node, parsed once; they are the same in every project. */
const shared = new Map<string, ts.SourceFile>();

function hostOf(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (file, languageVersion, ...rest) => {
    if (!file.includes(`${sep}typescript${sep}lib${sep}`) && !file.includes('@types/node')) return read(file, languageVersion, ...rest);
    const key = `${file} ${JSON.stringify(languageVersion)}`;
    const found = shared.get(key) ?? read(file, languageVersion, ...rest);
    if (found) shared.set(key, found);
    return found;
  };
  return host;
}

/** What is wrong with files of a project, and with the declarations of our packages that they reach; empty when nothing is. */
export function diagnose(project: string, files: readonly string[], resolution: keyof typeof RESOLUTIONS): string {
  const types = join(project, 'node_modules/@types');
  mkdirSync(types, { recursive: true });
  if (!existsSync(join(types, 'node'))) symlinkSync(join(root, 'node_modules/@types/node'), join(types, 'node'));
  const options: ts.CompilerOptions = {
    ...RESOLUTIONS[resolution],
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [types],
  };
  const program = ts.createProgram(
    files.map((file) => join(project, file)),
    options,
    hostOf(options),
  );
  const checked = program.getSourceFiles().filter(({ fileName }) => !fileName.endsWith('.d.ts') || fileName.includes(`/${SCOPE}`));
  const found = checked.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]);
  const host = { getCanonicalFileName: (file: string) => file, getCurrentDirectory: () => project, getNewLine: () => '\n' };
  return ts.formatDiagnostics([...program.getOptionsDiagnostics(), ...found], host);
}

/** Writes a program that imports a package, as a module and as CommonJS. @returns its files. */
export function writeImports(project: string, name: string): string[] {
  writeFileSync(join(project, 'imports.mts'), `import * as all from '${name}';\nexport const names: string[] = Object.keys(all);\n`);
  writeFileSync(join(project, 'imports.cts'), `import all = require('${name}');\nexport const names: string[] = Object.keys(all);\n`);
  return ['imports.mts', 'imports.cts'];
}

/** TypeScript without its types, as a module. */
export const strip = (source: string): string =>
  ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } }).outputText;
