namespace NetAutomation.Connector;

/// <summary>
/// Options as "--name value"; an unknown, repeated or missing option is a UsageException. An option declared as "--name*" may be repeated,
/// one declared as "--name?" has no value.
/// </summary>
internal sealed class CommandLine
{
    public const string Help = """
        netautomation-connector: carries device sessions from the service into this network.

          join   --endpoint HOST[:PORT] --server-name NAME --ca FILE --token-file FILE|- --state DIR [--address IP]
                 makes this host's key and binds it with the one-time join token (- reads it from standard input)
          run    --state DIR --allow-list FILE [--links N] [--drain-seconds N]
                 [--device-sessions N] [--device-rate N] [--rate N]
                 attaches and serves until SIGTERM
          doctor --state DIR --allow-list FILE [--device IP:PORT]... [--devices] [--json]
                 says in plain words what is wrong and what to do; --devices tries every single address of the
                 allow-list. Exit code 0: all is well, 1: something is wrong
          check  --allow-list FILE IP:PORT
                 says whether the allow-list lets the connector reach that address
          verify-receipts [--from HASH] [--head HASH] FILE|-
                 checks an export of receipts (GET /v1/receipts) byte by byte, without asking the service. --head is the
                 hash the chain must end at, such as one on an invoice; --from the one before the first line. Exit code 1: broken
          version

        --address          connect to this IP (a VPC endpoint's) instead of asking DNS; TLS still checks NAME
        --links            connections kept to the service (1)
        --drain-seconds    how long SIGTERM waits for open sessions (60)
        --device-sessions  sessions at once per device, that is address and port (4)
        --device-rate      new connections per second per device (5)
        --rate             new connections per second in all (50)
        Allow-list: lines 'CIDR port[,port]', '#' comments, everything else is denied.
        """;

    private readonly Dictionary<string, List<string>> _options = new(StringComparer.Ordinal);

    public CommandLine(string[] args, params string[] known)
    {
        var words = new Queue<string>(args.Skip(1));
        while (words.TryDequeue(out var word))
        {
            if (!word.StartsWith("--", StringComparison.Ordinal))
            {
                Operands.Add(word);
                continue;
            }

            var declared = known.FirstOrDefault(k => k.TrimEnd('*', '?') == word);
            var value = "";
            if (declared is null || (!declared.EndsWith('?') && !words.TryDequeue(out value))
                || (_options.ContainsKey(word) && !declared.EndsWith('*')))
            {
                throw new UsageException($"{word}: unknown, given twice or without a value");
            }

            _options[word] = [.. All(word), value];
        }
    }

    public List<string> Operands { get; } = [];

    public string this[string name] => Optional(name) ?? throw new UsageException($"{name} is required");

    public string? Optional(string name) => All(name) is [var value, ..] ? value : null;

    public IReadOnlyList<string> All(string name) => _options.GetValueOrDefault(name) ?? [];

    public int Number(string name, int least, int most, int otherwise) =>
        Optional(name) is not { } text ? otherwise
        : int.TryParse(text, out var number) && number >= least && number <= most ? number
        : throw new UsageException($"{name} takes a number from {least} to {most}");
}

internal sealed class UsageException(string message) : Exception(message);
