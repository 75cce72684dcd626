import { afterAll, beforeAll, describe, setDefaultTimeout } from "bun:test";
import { NO_POSTGRES, Postgres } from "../support/postgres.ts";
import { TEST_LIMIT } from "../support/wait.ts";
import { refusedSchedules, schedulesEndToEnd } from "./schedules.contract.ts";

setDefaultTimeout(TEST_LIMIT);

schedulesEndToEnd("on SQLite", async () => ({}));
refusedSchedules();

describe.skipIf(NO_POSTGRES !== "")(`with rows elsewhere${NO_POSTGRES}`, () => {
  let postgres: Postgres;

  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres[Symbol.asyncDispose]());

  schedulesEndToEnd("on Postgres", async () => ({ DATABASE_URL: await postgres.makeDatabase() }));
});
