import { CONCURRENCY } from "../postgres-concurrency.ts";
import type { Change } from "./change.ts";

export const postgresConcurrency: readonly Change[] = [
  ...CONCURRENCY.map((postgres) => ({ postgres })),
];
