"""The server: sends the adapter of the round before, waits for the sites, and lets `viva merge` average what they send."""

import json
from pathlib import Path

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from viva_federation.files import to_arrays, viva, write_adapter

app = ServerApp()
METHODS = {"fedavg": "fedavg", "svd": "svd", "ffa": "fedavg"}


class VivaAverage(FedAvg):
    """FedAvg whose average is viva's, so that adapters and their error are what `viva federate` computes."""

    def __init__(self, config, folder: Path, done: int, **options) -> None:
        super().__init__(fraction_evaluate=0.0, **options)
        self.config, self.folder, self.done = config, folder, done

    def configure_train(self, server_round, arrays, config, grid):
        return super().configure_train(server_round + self.done, arrays, config, grid)

    def _construct_messages(self, record, node_ids, message_type):
        """Messages that end with their round: a site that comes back does not begin with what nobody waits for any more."""
        message = {"content": record, "message_type": message_type, "ttl": float(self.config["round-timeout"])}
        return [Message(dst_node_id=node_id, **message) for node_id in node_ids]

    def aggregate_train(self, server_round, replies):
        server_round += self.done
        valid, _ = self._check_and_log_replies(replies, is_train=True)
        sites = {reply.metadata.src_node_id: reply.content for reply in valid}  # each site counts once
        if len(sites) < self.min_train_nodes:
            print(f"round {server_round}: {len(sites)} sites answered, {self.min_train_nodes} are needed: it does not count")
            return None, None
        received, out = self.folder / "received" / f"round-{server_round:04d}", self.folder / f"round-{server_round:04d}"
        base, counts = str(self.config["base-model"]), []
        for node in sorted(sites):  # so that the sum does not depend on who was first
            write_adapter(received / str(node), sites[node]["arrays"], base)
            counts.append(int(sites[node]["metrics"]["num-examples"]))
        method = ["--method", METHODS[str(self.config["mode"])], "--weights", ",".join(map(str, counts))]
        folders = [str(received / str(node)) for node in sorted(sites)]
        said = viva(str(self.config["viva"]), "merge", *folders, *method, "--out", str(out), "--json")
        error = json.loads(said)["aggregation_error"]
        record = {"round": server_round, "sites": len(sites), "examples": sum(counts), "aggregation_error": error}
        print(json.dumps(record), flush=True)
        if error > 0.05:
            print(f"round {server_round}: aggregation error above 0.05: try mode svd or ffa, or fewer local-steps")
        with (self.folder / "rounds.jsonl").open("a") as rounds:
            rounds.write(json.dumps({**record, "counts": dict(zip(map(str, sorted(sites)), counts))}) + "\n")
        return to_arrays(out), MetricRecord({"aggregation-error": error, "sites": len(sites)})


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    if config["mode"] not in METHODS:
        raise ValueError(f"mode {config['mode']}: one of {', '.join(METHODS)}; fedex changes the model itself")
    folder = Path(str(config["folder"]))
    folder.mkdir(parents=True, exist_ok=True)
    sites = int(config["min-sites"])
    last = max((int(one.name[6:]) for one in folder.glob("round-*")), default=0)  # of an earlier run, which goes on
    strategy = VivaAverage(config, folder, last, min_train_nodes=sites, min_available_nodes=sites)
    told = ConfigRecord({key: config[key] for key in ("mode", "local-steps", "seed")})
    # At first sites begin with the fresh adapter of their recipe, which is the same for the same seed.
    arrays = ArrayRecord({}) if last == 0 else to_arrays(folder / f"round-{last:04d}")
    strategy.start(
        grid=grid,
        initial_arrays=arrays,
        num_rounds=int(config["rounds"]) - last,
        timeout=float(config["round-timeout"]),
        train_config=told,
    )
