import { FakeS3 } from "../../support/fake-s3.ts";
import { optionsFor } from "../../support/s3-storage.ts";

/* The tests' S3, in a process of its own. Says how it is found. */

const s3 = new FakeS3();
process.send?.({ ...optionsFor(s3), prefix: "" });
