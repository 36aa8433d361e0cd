import type { ConcreteValue } from '../../plan/concrete';
import type { GenericBuilder } from './builder';
import type { Rule, Rules } from './rule';
import { broadcast, contiguous, sliced } from './views';

/** The rows of a table that lie on all sequences alike: its first `count`, or its first for every token. */
function sameRows(b: GenericBuilder, table: ConcreteValue, count: number): ConcreteValue {
  const rows = b.temporary('f32', b.y.dims);
  b.copy(table, broadcast(sliced(contiguous(table.dims), 0, 0, 1, count), b.y.dims), rows);
  return rows;
}

/** word[ids] + position[0..S] + type_table[types], for tables that no panel step reads. */
const embeddings: Rule = {
  lower(b) {
    const [ids, word, position, types, table] = [b.x(0), b.x(1), b.optional(2), b.optional(3), b.optional(4)];
    const rows: ConcreteValue[] = [];
    const gather = (source: ConcreteValue, at: ConcreteValue): void => {
      const y = position || table ? b.temporary('f32', b.y.dims) : b.y;
      b.step('gather', [source, at], [y], { axis: 0 });
      rows.push(y);
    };
    gather(word, ids);
    if (position) rows.push(sameRows(b, position, b.y.dims[1]!));
    if (table && types) gather(table, types);
    else if (table) rows.push(sameRows(b, table, 1));
    let sum = rows[0]!;
    for (const [i, row] of rows.entries()) {
      if (i === 0) continue;
      const y = i === rows.length - 1 ? b.y : b.temporary('f32', b.y.dims);
      b.binary('add', sum, row, y);
      sum = y;
    }
  },
};

/** Engine operators beside encoder panels. */
export const EMBEDDINGS: Rules = { Embeddings: embeddings };
