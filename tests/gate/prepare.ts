import { BUNDLES } from "../support/bundled.ts";
import { NewCluster, NO_POSTGRES } from "../support/postgres.ts";
import { Bundles } from "./bundles.ts";

/** What takes tests long to make, made once for all of them. */
export interface Prepared extends AsyncDisposable {
  /** By it the tests find what was made. */
  env: Record<string, string>;
}

/** `TEST_BUNDLES={}` lets tests start the programs from their sources all the same. */
export async function prepare(): Promise<Prepared> {
  await using made = new AsyncDisposableStack();
  const env: Record<string, string> = {};
  if (process.env[BUNDLES] === undefined) {
    Object.assign(env, made.use(await Bundles.make()).env);
  }
  if (NO_POSTGRES === "") Object.assign(env, made.use(await NewCluster.make()).env);
  const all = made.move();
  return { env, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
