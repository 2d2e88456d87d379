using System.IO.Pipelines;
using System.Text;
using NetAutomation.Tunnel;

namespace NetAutomation.Tests.Tunnel;

public sealed class ControlLinesTests
{
    private static readonly ControlMessage[] _messages =
    [
        new Hello("ses_1", "replica", 256, new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero)),
        new Dial("id", "dev_1", "10.0.0.1", 22, "run_1", 7, true, 5000),
        new Dial("id", "dev_1", "router.example", 830, null, 0, false, 5000),
        new Cut("cut", "dev_1", null, 8),
        new Cut("cut", null, "run_1", long.MaxValue),
        new Permit("run_1", 7, 25_000),
        new Drain(1000),
    ];

    [Fact]
    public async Task Messages_come_out_as_they_went_in_whatever_the_chunks()
    {
        using var written = new MemoryStream();
        foreach (var message in _messages)
        {
            await ControlLines.Write(written, message, default);
        }

        var bytes = written.ToArray();
        for (var seed = 0; seed < 20; seed++)
        {
            var pipe = new Pipe();
            var random = new Random(seed);
            var sending = Task.Run(async () =>
            {
                for (var at = 0; at < bytes.Length;)
                {
                    var size = Math.Min(random.Next(1, 40), bytes.Length - at);
                    await pipe.Writer.WriteAsync(bytes.AsMemory(at, size));
                    at += size;
                }

                await pipe.Writer.CompleteAsync();
            });
            (await Read(pipe.Reader.AsStream())).ShouldBe(_messages);
            await sending;
        }
    }

    [Fact]
    public async Task Message_of_a_newer_service_is_skipped_and_not_fatal()
    {
        var read = await Read("""{"type":"tomorrow","x":1}""" + "\n" + """{"type":"drain","deadlineMs":5,"new":true}""" + "\n");
        read.Count.ShouldBe(2);
        read[0].GetType().ShouldBe(typeof(ControlMessage));
        read[1].ShouldBe(new Drain(5));
    }

    [Theory]
    [InlineData("nonsense\n")]
    [InlineData("null\n")]
    [InlineData("[]\n")]
    [InlineData("{\"type\":\"dial\",\"id\":\"x\"}\n")]
    [InlineData("{\"type\":\"cut\",\"id\":null,\"device\":null,\"run\":null,\"belowFence\":1}\n")]
    public async Task Line_that_is_no_message_is_an_error(string line) => await Should.ThrowAsync<InvalidDataException>(() => Read(line));

    [Fact]
    public async Task Line_without_end_is_bounded()
    {
        await Should.ThrowAsync<InvalidDataException>(() => Read(new string('x', TunnelProtocol.MaxMessageBytes + 1)));
    }

    [Fact]
    public async Task Random_bytes_never_raise_anything_but_an_invalid_message()
    {
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            var bytes =
                Encoding.UTF8.GetBytes(
                    """{"type":"dial","id":"a","device":"d","host":"h","port":1,"run":null,"fence":1,"exclusive":true,"deadlineMs":1}"""
                        + "\n");
            for (var i = 0; i < random.Next(1, 6); i++)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            try
            {
                await Read(new MemoryStream(bytes));
            }
            catch (InvalidDataException)
            {
                // Garbage closes the connection.
            }
        }
    }

    private static Task<List<ControlMessage>> Read(string text) => Read(new MemoryStream(Encoding.UTF8.GetBytes(text)));

    private static async Task<List<ControlMessage>> Read(Stream stream)
    {
        var all = new List<ControlMessage>();
        await foreach (var message in ControlLines.Read(stream, default))
        {
            all.Add(message);
        }

        return all;
    }
}
