import { setDefaultTimeout } from "bun:test";
import { TEST_LIMIT } from "../support/wait.ts";
import { jobsEndToEnd } from "./jobs.contract.ts";

setDefaultTimeout(TEST_LIMIT);

jobsEndToEnd();
