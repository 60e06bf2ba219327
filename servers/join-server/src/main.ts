/** The join-server's process (docs/architecture.md). Started by the supervisor. */
import { serve } from "@trefoil/service";
import { joinServer } from "./server.ts";

serve(joinServer);
