import type { Node } from '@neural-engine/ir';

/** Something that a pass did, or that it saw and left alone. */
export type PassEvent =
  | {
      readonly kind: 'hit';
      readonly pass: string;
      readonly node: string;
      readonly covered: readonly string[];
      readonly added: readonly string[];
    }
  | { readonly kind: 'declined'; readonly pass: string; readonly node: string; readonly op: string; readonly reason: string }
  | { readonly kind: 'note'; readonly pass: string; readonly node: string; readonly message: string }
  | { readonly kind: 'skipped'; readonly pass: string; readonly reason: string };

/** Collects the events of one pass; a near miss that is seen on every sweep is told once. */
export class PassLog {
  private readonly told = new Set<string>();
  /** Times the pass changed the graph. */
  hits = 0;

  constructor(
    readonly pass: string,
    private readonly emit: (event: PassEvent) => void = () => {},
  ) {}

  /** `root` and the nodes around it became `added`. */
  hit(root: Node, covered: readonly Node[] = [root], added: readonly Node[] = []): void {
    this.hits++;
    this.emit({
      kind: 'hit',
      pass: this.pass,
      node: root.name,
      covered: covered.map((node) => node.op),
      added: added.map((node) => node.op),
    });
  }

  /** The pass changed the graph at a value, or assumes something that a reader should know. */
  note(node: string, message: string): void {
    this.hits++;
    this.emit({ kind: 'note', pass: this.pass, node, message });
  }

  /** The pass fits at `root` but must not be applied. */
  declined(root: Node, reason: string): void {
    const key = `${root.name}\n${reason}`;
    if (this.told.has(key)) return;
    this.told.add(key);
    this.emit({ kind: 'declined', pass: this.pass, node: root.name, op: root.op, reason });
  }
}
