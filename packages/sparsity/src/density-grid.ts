import type { WeightView } from './measure';

/** Shares of non-zero elements in equal cells of a weight, row by row; rows are output channels. */
export interface DensityGrid {
  readonly rows: number;
  readonly cols: number;
  readonly density: Float32Array;
}

/** Reduces a weight to at most `rows` × `cols` cells. Cell borders lie on multiples of 4 output channels, so that 4x1 blocks stay whole. */
export function densityGrid(weight: WeightView, rows = 96, cols = 96): DensityGrid {
  const { data, out, in: inputs, transposed } = weight;
  const cellRows = Math.max(4, Math.ceil(out / rows / 4) * 4);
  const cellCols = Math.max(1, Math.ceil(inputs / cols));
  const grid = { rows: Math.ceil(out / cellRows), cols: Math.ceil(inputs / cellCols) };
  const used = new Float32Array(grid.rows * grid.cols);
  const total = new Float32Array(grid.rows * grid.cols);
  for (let row = 0; row < out; row++) {
    const base = Math.floor(row / cellRows) * grid.cols;
    for (let col = 0; col < inputs; col++) {
      const cell = base + Math.floor(col / cellCols);
      total[cell]! += 1;
      if (data[transposed ? row * inputs + col : col * out + row]) used[cell]! += 1;
    }
  }
  return { ...grid, density: used.map((count, cell) => count / total[cell]!) };
}

/** The top left corner element by element: where the shape of the blocks can be seen. */
export function cornerGrid(weight: WeightView, size = 64): DensityGrid {
  const { data, out, in: inputs, transposed } = weight;
  const [rows, cols] = [Math.min(size, out), Math.min(size, inputs)];
  const density = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) density[row * cols + col] = data[transposed ? row * inputs + col : col * out + row] ? 1 : 0;
  }
  return { rows, cols, density };
}
