using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;

namespace NetAutomation.Connector;

/// <summary>
/// Checks an export of receipts (GET /v1/receipts) without asking the service: the last member of each line is the hash of the rest, each
/// line names the hash of the line before, and the numbers have no gap. The hash covers every byte, so any change is found.
/// </summary>
internal static class VerifyReceiptsCommand
{
    private const int HashLength = 64;
    private const int LongestLine = 64 * 1024;
    private static readonly SearchValues<byte> _hexDigits = SearchValues.Create("0123456789abcdef"u8);
    private static readonly string _genesis = new('0', HashLength);

    public static async Task<int> Run(CommandLine options, Stream input, TextWriter output, CancellationToken cancel)
    {
        if (options.Operands is not [var file])
        {
            throw new UsageException("verify-receipts takes one FILE, or - for standard input");
        }

        var (from, head) = (Hash(options, "--from"), Hash(options, "--head"));
        await using var lines = file == "-" ? input : File.OpenRead(file);
        var chain = new Chain(from);
        try
        {
            await Read(lines, chain, cancel);
            chain.MustEndAt(head);
        }
        catch (InvalidDataException fault)
        {
            await output.WriteLineAsync($"BROKEN   {fault.Message}");
            return 1;
        }

        await output.WriteLineAsync(
            chain.Count == 0
                ? "ok       no receipts" : $"ok       {chain.Count} receipts, {chain.First} to {chain.Last}, head sha256:{chain.Previous}");
        if (head is null)
        {
            await output.WriteLineAsync("note     receipts cut off at the end, or all rebuilt, show only with --head");
        }

        return 0;
    }

    private static string? Hash(CommandLine options, string name) => options.Optional(name) switch
    {
        null => null,
        var text when text.StartsWith("sha256:", StringComparison.Ordinal) && IsHash(Encoding.UTF8.GetBytes(text[7..])) => text[7..],
        _ => throw new UsageException($"{name} takes sha256: and 64 hex digits"),
    };

    private static bool IsHash(ReadOnlySpan<byte> text) => text.Length == HashLength && text.IndexOfAnyExcept(_hexDigits) < 0;

    private static async Task Read(Stream input, Chain chain, CancellationToken cancel)
    {
        var reader = PipeReader.Create(input);
        while (true)
        {
            var read = await reader.ReadAsync(cancel);
            var rest = read.Buffer;
            while (rest.PositionOf((byte)'\n') is { } end)
            {
                chain.Add(rest.Slice(0, end).ToArray());
                rest = rest.Slice(rest.GetPosition(1, end));
            }

            if (rest.Length > LongestLine || (read.IsCompleted && rest.Length > 0))
            {
                throw new InvalidDataException($"line {chain.Count + 1} has no end");
            }

            reader.AdvanceTo(rest.Start, rest.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    private sealed class Chain(string? from)
    {
        private static ReadOnlySpan<byte> SeqMember => "{\"seq\":"u8;

        private static ReadOnlySpan<byte> PreviousMember => ",\"previousHash\":\"sha256:"u8;

        private static ReadOnlySpan<byte> HashMember => ",\"hash\":\"sha256:"u8;

        public long Count { get; private set; }

        public long First { get; private set; }

        public long Last { get; private set; }

        public string? Previous { get; private set; } = from;

        public void Add(byte[] line)
        {
            Count++;
            var text = line.AsSpan();
            if (!text.StartsWith(SeqMember) || !Utf8Parser.TryParse(text[SeqMember.Length..], out long seq, out _)
                || !Cut(ref text, HashMember, "\"}"u8, out var hash))
            {
                throw new InvalidDataException($"line {Count} is no receipt");
            }

            // The hash covers the receipt as an object without the hash member.
            byte[] hashed = [.. text, (byte)'}'];
            if (!Cut(ref text, PreviousMember, "\""u8, out var previous))
            {
                throw new InvalidDataException($"line {Count} is no receipt");
            }

            if (Convert.ToHexStringLower(SHA256.HashData(hashed)) != hash)
            {
                throw new InvalidDataException($"receipt {seq} (line {Count}) was changed: its bytes do not have its hash");
            }

            Follow(seq, previous);
            (Last, Previous) = (seq, hash);
        }

        public void MustEndAt(string? head)
        {
            if (head is not null && head != Previous)
            {
                throw new InvalidDataException(
                    $"the chain ends at sha256:{Previous}, not at the head that was given: receipts are missing or were replaced");
            }
        }

        private void Follow(long seq, string previous)
        {
            if (Count == 1)
            {
                First = seq;
                var expected = Previous ?? (seq == 1 ? _genesis : null);
                if (seq < 1 || (expected is not null && expected != previous))
                {
                    throw new InvalidDataException($"receipt {seq} does not follow the hash before it");
                }
            }
            else if (seq != Last + 1 || previous != Previous)
            {
                throw new InvalidDataException(
                    $"receipt {seq} (line {Count}) does not follow receipt {Last}: one is missing, added or out of place");
            }
        }

        /// <summary>Takes <paramref name="member"/>, a hash and <paramref name="end"/> off the end of the text.</summary>
        private static bool Cut(ref Span<byte> text, ReadOnlySpan<byte> member, ReadOnlySpan<byte> end, out string hash)
        {
            hash = "";
            var start = text.Length - end.Length - HashLength - member.Length;
            if (start < 0 || !text[start..].StartsWith(member) || !text.EndsWith(end)
                || !IsHash(text.Slice(start + member.Length, HashLength)))
            {
                return false;
            }

            hash = Encoding.ASCII.GetString(text.Slice(start + member.Length, HashLength));
            text = text[..start];
            return true;
        }
    }
}
