import { setDefaultTimeout } from "bun:test";
import { TEST_LIMIT } from "../support/wait.ts";
import { refusedSchedules, schedulesEndToEnd } from "./schedules.contract.ts";

setDefaultTimeout(TEST_LIMIT);

schedulesEndToEnd();
refusedSchedules();
