/** The network's region, refused at the start where its values are not verified and the operator did not insist. */
import { type RegionParameters, regionParameters } from "@trefoil/lorawan";
import { Fault } from "@trefoil/service";

export function chosenRegion(network: {
  readonly region: string;
  readonly allowUnverifiedRegion: boolean;
}): RegionParameters {
  const choice = regionParameters(network.region, { allowUnverified: network.allowUnverifiedRegion });
  if ("region" in choice) return choice.region;
  if (choice.refused === "region/unknown")
    throw new Fault("region/unknown", `network.region: there is no region ${network.region}`, { retry: "never" });
  const fields = choice.unverified.map(({ field }) => field).join(", ");
  throw new Fault(
    "region/unverified",
    `network.region: too few sources confirm ${fields} of ${network.region}; network.allowUnverifiedRegion: true takes it all the same`,
    { retry: "never" },
  );
}
