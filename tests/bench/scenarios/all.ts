import type { Scenario } from "../core/scenario.ts";
import { compression } from "./compression.ts";
import { idleScenarios } from "./idle-clients.ts";
import { jobs } from "./jobs.ts";
import { manyClientsScenarios } from "./many-clients.ts";
import { oneClientScenarios } from "./one-client.ts";
import { resume } from "./resume.ts";
import { s3Scenarios } from "./s3.ts";
import { servers } from "./servers.ts";
import { setScenarios } from "./sets.ts";
import { setWaitScenarios } from "./set-waits.ts";
import { smallFiles } from "./small-files.ts";
import { stored } from "./stored.ts";
import { wanScenarios } from "./wan.ts";

/** All scenarios, in the order in which they run. */
export const SCENARIOS: Scenario[] = [
  ...oneClientScenarios,
  ...manyClientsScenarios,
  ...wanScenarios,
  compression,
  ...idleScenarios,
  smallFiles,
  resume,
  ...setWaitScenarios,
  ...setScenarios,
  stored,
  jobs,
  ...s3Scenarios,
  servers,
];
