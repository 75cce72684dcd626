import type { FileSettings } from "../../util/settings-file.ts";
import type { FlagSettings } from "./given-settings.ts";
import type { Installation, Places, Service } from "./service.ts";

/** The flags, the existing settings and the token from which an installation is prepared. */
export interface Given {
  service: Service;
  places: Places;
  flags: FlagSettings;
  /**
   * The settings of the existing settings file, overridden by the settings of the file that `--config` names.
   */
  before: FileSettings;
  /** The settings of the file that `--config` names. Empty without `--config`. */
  taken: FileSettings;
  /** The text of the existing settings file. Empty where there is none. */
  text: string;
  enrolToken: string | null;
}

/** The settings, enrolment token, folders and rights of an installation, without its service and paths. */
export interface Prepared extends Omit<Installation, keyof Service | "places"> {
  /** A short description of what is installed, for the user. */
  title: string;
  /** Tasks that are left for the user, one sentence each. */
  notes: string[];
}
