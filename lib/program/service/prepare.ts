import type { FileSettings } from "../../util/settings-file.ts";
import type { FlagSettings } from "./given-settings.ts";
import type { Installation, Places, Service } from "./service.ts";

/** What a person gave for an installation. */
export interface Given {
  service: Service;
  places: Places;
  flags: FlagSettings;
  /** What the file of settings says, and over it the file of `--config`. */
  before: FileSettings;
  /** The part of it that is the file of `--config`'s. */
  taken: FileSettings;
  /** Text of the file of settings; empty: there is none yet. */
  text: string;
  enrolToken: string | null;
}

/** What an installation needs beside its service and its places. */
export interface Prepared extends Omit<Installation, keyof Service | "places"> {
  /** What is installed, in a few words. */
  title: string;
  /** What a person is still to do. */
  notes: string[];
}
