/** The names of a graph, a branch or a function body, and what they are called in the flat graph. */
export class Scope {
  private readonly names = new Map<string, string>();

  constructor(
    private readonly parent: Scope | undefined,
    /** Gives a new value its name in the flat graph. */
    private readonly rename: (name: string) => string,
  ) {}

  /** The flat name of a value that exists, undefined where none of that name is visible. */
  resolve(name: string): string | undefined {
    if (name === '') return '';
    return this.names.get(name) ?? this.parent?.resolve(name);
  }

  /** Registers a new value; a name that was bound beforehand keeps its binding. */
  define(name: string): string {
    if (name === '') return '';
    const bound = this.names.get(name);
    if (bound !== undefined) return bound;
    const flat = this.rename(name);
    this.names.set(name, flat);
    return flat;
  }

  /** Makes `name` mean the value called `flat` in the flat graph. */
  bind(name: string, flat: string): void {
    this.names.set(name, flat);
  }
}
