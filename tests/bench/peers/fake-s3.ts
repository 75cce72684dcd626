import { FakeS3 } from "../../support/fake-s3.ts";
import { optionsFor } from "../../support/s3-storage.ts";

/*
 * Runs the fake S3 server of the tests in a process of its own. Sends the options of its bucket to the parent
 * process.
 */

const s3 = new FakeS3();
process.send?.({ ...optionsFor(s3), prefix: "" });
