import { accessContract } from "./access.contract.ts";
import { auditContract } from "./audit.contract.ts";
import { jobsContract } from "./jobs.contract.ts";
import { keepContract } from "./keep.contract.ts";
import { labelsContract } from "./labels.contract.ts";
import { listsContract } from "./lists.contract.ts";
import { outboxContract } from "./outbox.contract.ts";
import { queueContract } from "./queue.contract.ts";
import { setRowsContract } from "./set-rows.contract.ts";
import type { Backend } from "./backend.ts";
import { repositoryContract } from "./repository.contract.ts";
import { schedulesContract } from "./schedules.contract.ts";
import { sharingContract } from "./sharing.contract.ts";
import { webhooksContract } from "./webhooks.contract.ts";

/** Runs all tests that every repository has to pass, against one backend. */
export function everyContract(name: string, makeBackend: () => Promise<Backend>): void {
  repositoryContract(name, makeBackend);
  queueContract(name, makeBackend);
  listsContract(name, makeBackend);
  accessContract(name, makeBackend);
  auditContract(name, makeBackend);
  setRowsContract(name, makeBackend);
  labelsContract(name, makeBackend);
  jobsContract(name, makeBackend);
  keepContract(name, makeBackend);
  sharingContract(name, makeBackend);
  webhooksContract(name, makeBackend);
  outboxContract(name, makeBackend);
  schedulesContract(name, makeBackend);
}
