import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type PublicPackage, root, SCOPE } from '../packaging/workspace';

/**
 * Copies the work tree, as it is with its changes, and what was built in it to `target`, a repository of its own; nothing done there shows here.
 *
 * Packages are linked to each other there, as a package manager needs it to replace `workspace:` when it packs them.
 */
export function copyWorkTree(packages: readonly PublicPackage[], target: string): void {
  const git = (cwd: string, ...args: string[]): string => execFileSync('git', args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  const files = git(root, 'ls-files', '--cached', '--others', '--exclude-standard', '-z').split('\0');
  for (const file of files.filter((name) => name !== '' && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(join(root, file), join(target, file), { verbatimSymlinks: true });
  }
  for (const { folder, kind, manifest } of packages) {
    const inCopy = folder.replace(root, `${target}/`);
    const built = kind === 'platform' ? manifest.main! : 'dist';
    if (existsSync(join(folder, built))) cpSync(join(folder, built), join(inCopy, built), { recursive: true });
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
      const ours = packages.find((one) => one.manifest.name === name)?.folder.replace(root, `${target}/`);
      link(ours ?? realpathSync(join(folder, 'node_modules', name)), join(inCopy, 'node_modules', name));
    }
  }
  git(target, 'init', '--quiet', '--initial-branch=main');
  git(target, 'add', '--all');
  commit(target, 'the work tree');
}

/** Commits all changes in a copy. */
export function commit(copy: string, message: string): void {
  const author = ['-c', 'user.name=release:dry', '-c', 'user.email=release@localhost', '-c', 'commit.gpgsign=false'];
  execFileSync('git', [...author, 'commit', '--quiet', '--no-verify', '--all', '--message', message], { cwd: copy });
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path, 'dir');
}

/** Names of the packages that are published, without the scope. */
export const shortName = (name: string): string => name.slice(SCOPE.length);
