import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { publicPackages, readManifest, root, SCOPE } from '../packaging/workspace';
import { commit, copyWorkTree } from './copy';
import { Registry } from './registry';

const CHANGESETS = join(root, 'node_modules/@changesets/cli/bin.js');

/** Runs a program. @throws {Error} it failed; the message is what it printed. */
export async function execute(cwd: string, env: NodeJS.ProcessEnv, command: string, ...args: string[]): Promise<string> {
  try {
    const options = { cwd, env, encoding: 'utf8', timeout: 120_000, maxBuffer: 1 << 26 } as const;
    return (await promisify(execFile)(command, args, options)).stdout;
  } catch (error) {
    const { stdout = '', stderr = '', code, signal } = error as { stdout?: string; stderr?: string; code: unknown; signal: unknown };
    throw new Error(`${command} ${args.join(' ').slice(0, 200)}: ${String(code ?? signal)}\n${stdout}${stderr}`);
  }
}

/** A release of the work tree to a registry of its own, in a temporary folder. */
export class Release {
  private constructor(
    /** Everything is below this folder. */
    readonly folder: string,
    readonly registry: Registry,
    /** The package manager pnpm, as a program. */
    readonly pnpm: string,
  ) {}

  static async start(): Promise<Release> {
    const pnpm = execFileSync('npx', ['--yes', '--package', 'pnpm@10.34.9', '-c', 'command -v pnpm'], { encoding: 'utf8' }).trim();
    const release = new Release(mkdtempSync(join(tmpdir(), 'neural-engine-release-')), await Registry.start(), pnpm);
    // What the user has configured holds for packages of others: where they come from, through which proxy.
    // biome-ignore lint/suspicious/noUndeclaredEnvVars: no cached task reads it
    const own = process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc');
    const settings = `${existsSync(own) ? readFileSync(own, 'utf8') : ''}\n${release.registry.settings(SCOPE.slice(0, -1))}`;
    writeFileSync(release.npmrc, settings, { mode: 0o600 });
    copyWorkTree(publicPackages(), release.copy);
    return release;
  }

  async end(): Promise<void> {
    await this.registry.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The copy of the work tree that versions are written in. */
  get copy(): string {
    return join(this.folder, 'copy');
  }

  private get npmrc(): string {
    return join(this.folder, 'npmrc');
  }

  /** The environment of a stranger whose packages come from the registry, with caches that know nothing. */
  get env(): NodeJS.ProcessEnv {
    // Programs that pnpm starts find the packages of the workspace through NODE_PATH, wherever they run.
    const { NODE_PATH: _, NE_NATIVE_PATH: __, ...env } = process.env;
    return {
      ...env,
      PATH: `${dirname(this.pnpm)}:${env['PATH']}`,
      npm_config_userconfig: this.npmrc,
      npm_config_cache: join(this.folder, 'npm-cache'),
      npm_config_store_dir: join(this.folder, 'pnpm-store'),
      npm_config_loglevel: 'error',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
      XDG_CACHE_HOME: join(this.folder, 'cache'),
    };
  }

  run(cwd: string, command: string, ...args: string[]): Promise<string> {
    return execute(cwd, this.env, command, ...args);
  }

  /** Writes the next versions and changelogs, as `pnpm version-packages` does. @returns the version of each package, by its short name. */
  async version(): Promise<Map<string, string>> {
    await this.run(this.copy, process.execPath, CHANGESETS, 'version');
    await this.run(this.copy, process.execPath, 'tooling/release/sync-cargo-version.mjs');
    commit(this.copy, 'versions');
    return this.versions();
  }

  versions(): Map<string, string> {
    const manifests = publicPackages().map(({ folder }) => readManifest(folder.replace(root, `${this.copy}/`)));
    return new Map(manifests.map(({ name, version }) => [name.slice(SCOPE.length), version]));
  }

  /** Publishes what the registry does not have yet, by the script that the release workflow runs. @returns `name@version` of each. */
  async publish(): Promise<string[]> {
    const before = new Set(this.registry.published);
    await this.run(this.copy, this.pnpm, 'run', 'release');
    return this.registry.published.filter((one) => !before.has(one));
  }

  /** An empty project. */
  project(name: string): string {
    const folder = join(this.folder, 'projects', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    return folder;
  }

  async install(manager: Manager, project: string, ...args: string[]): Promise<void> {
    if (manager === 'npm') await this.run(project, 'npm', 'install', ...args);
    else await this.run(project, this.pnpm, 'add', ...args);
  }
}

export type Manager = 'npm' | 'pnpm';
export const MANAGERS: readonly Manager[] = ['npm', 'pnpm'];
