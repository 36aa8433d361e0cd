export { bindFeeds, type Feed, type Feeds, type OrtLikeTensor, type Port } from './feeds';
export { type Machine, type Placement, type PlaceOptions, placeInstances } from './instances/place';
export { Pool, type PoolOptions, type PoolRunOptions, type PoolStatistics } from './instances/pool';
export { Model, type ModelOptions } from './model';
export type { ConcreteValue } from './plan/concrete';
export { type PlanOptions, plan } from './plan/plan';
export { type PrepareOptions, prepare } from './prepare/prepare';
export type { Component, KernelChoice, PanelOp, PanelValue, Prepared, PreparedNode, WeightChoice } from './prepare/prepared';
export { type Profiled, type RunOptions, Session, type SessionOptions } from './session';
