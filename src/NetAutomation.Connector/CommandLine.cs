namespace NetAutomation.Connector;

/// <summary>Options as "--name value"; an unknown, doubled or missing one is a UsageException.</summary>
internal sealed class CommandLine
{
    public const string Help = """
        netautomation-connector: carries device sessions from the service into this network.

          join   --endpoint HOST[:PORT] --server-name NAME --ca FILE --token-file FILE|- --state DIR [--address IP]
                 makes this host's key and binds it with the one-time join token (- reads it from standard input)
          run    --state DIR --allow-list FILE [--links N] [--drain-seconds N]
                 attaches and serves until SIGTERM
          check  --allow-list FILE IP:PORT
                 says whether the allow-list lets the connector reach that address
          version

        --address  connect to this IP (a VPC endpoint's) instead of asking DNS; TLS still checks NAME
        Allow-list: lines 'CIDR port[,port]', '#' comments, everything else is denied.
        """;

    private readonly Dictionary<string, string> _options = new(StringComparer.Ordinal);

    public CommandLine(string[] args, params string[] known)
    {
        var words = new Queue<string>(args.Skip(1));
        while (words.TryDequeue(out var word))
        {
            if (!word.StartsWith("--", StringComparison.Ordinal))
            {
                Operands.Add(word);
            }
            else if (!known.Contains(word, StringComparer.Ordinal) || !words.TryDequeue(out var value) || !_options.TryAdd(word, value))
            {
                throw new UsageException($"{word}: unknown, given twice or without a value");
            }
        }
    }

    public List<string> Operands { get; } = [];

    public string this[string name] => Optional(name) ?? throw new UsageException($"{name} is required");

    public string? Optional(string name) => _options.GetValueOrDefault(name);

    public int Number(string name, int least, int most, int otherwise) =>
        Optional(name) is not { } text ? otherwise
        : int.TryParse(text, out var number) && number >= least && number <= most ? number
        : throw new UsageException($"{name} takes a number from {least} to {most}");
}

internal sealed class UsageException(string message) : Exception(message);
