import type { FileSettings } from "../../util/settings-file.ts";
import type { FlagSettings } from "./given-settings.ts";
import type { Installation, Places, Service } from "./service.ts";

/** What a person gave for an installation. */
export interface Given {
  service: Service;
  places: Places;
  flags: FlagSettings;
  /** The existing file of settings, overridden by the file of `--config`. */
  before: FileSettings;
  /** The settings of the file of `--config`. */
  taken: FileSettings;
  /** Text of the existing file of settings; empty: there is none. */
  text: string;
  enrolToken: string | null;
}

/** What an installation needs, besides its service and places. */
export interface Prepared extends Omit<Installation, keyof Service | "places"> {
  /** Short title of what is installed. */
  title: string;
  /** What is left to do for a person. */
  notes: string[];
}
