using System.Globalization;

namespace NetAutomation.AwsSimulator.State;

internal sealed record ReceivedMessage(
    string Id, string Receipt, string Body, int ReceiveCount, DateTimeOffset Sent, DateTimeOffset FirstReceived);

/// <summary>A standard SQS queue: at least once, hidden for the visibility timeout after each receive.</summary>
internal sealed class MessageQueue(string name, TimeProvider clock, QueueFaults faults)
{
    private sealed class Entry(string body, DateTimeOffset sent)
    {
        public string Id { get; } = Guid.NewGuid().ToString();
        public string Body => body;
        public DateTimeOffset Sent => sent;
        public DateTimeOffset VisibleAt { get; set; }
        public DateTimeOffset FirstReceived { get; set; }
        public int Receives { get; set; }
    }

    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];
    private TaskCompletionSource _arrived = NewSignal();
    private QueueFaults _faults = faults;
    private Random _chance = new(faults.Seed);

    public string Name => name;

    public (int Visible, int InFlight) Count()
    {
        lock (_gate)
        {
            var visible = _entries.Count(e => e.VisibleAt <= clock.GetUtcNow());
            return (visible, _entries.Count - visible);
        }
    }

    public void SetFaults(QueueFaults faults)
    {
        lock (_gate)
        {
            _faults = faults;
            _chance = new(faults.Seed);
        }
    }

    public string Send(string body, int delaySeconds = 0)
    {
        lock (_gate)
        {
            return Put(body, TimeSpan.FromSeconds(delaySeconds), _entries.Count);
        }
    }

    /// <summary>A message of SNS or EventBridge, which may be lost, doubled, delayed, or put before an earlier one.</summary>
    public void Deliver(string body)
    {
        lock (_gate)
        {
            var copies = Strikes(_faults.DropPercent) ? 0 : Strikes(_faults.DuplicatePercent) ? 2 : 1;
            for (var i = 0; i < copies; i++)
            {
                var delay = Strikes(_faults.DelayPercent) ? _chance.Next(_faults.DelayMilliseconds + 1) : 0;
                Put(body, TimeSpan.FromMilliseconds(delay),
                    Strikes(_faults.ReorderPercent) ? _chance.Next(_entries.Count + 1) : _entries.Count);
            }
        }
    }

    public async Task<List<ReceivedMessage>> ReceiveAsync(int max, int visibilitySeconds, int waitSeconds, CancellationToken cancel)
    {
        var deadline = clock.GetUtcNow().AddSeconds(waitSeconds);
        while (true)
        {
            Task arrived;
            DateTimeOffset wake;
            lock (_gate)
            {
                var now = clock.GetUtcNow();
                var taken = _entries.Where(e => e.VisibleAt <= now).Take(max).Select(e => Take(e, now, visibilitySeconds)).ToList();
                if (taken.Count > 0 || now >= deadline)
                {
                    return taken;
                }
                arrived = _arrived.Task;
                wake = _entries.Select(e => e.VisibleAt).Append(deadline).Min();
            }
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            var pause = wake - clock.GetUtcNow();
            await Task.WhenAny(arrived, Task.Delay(pause > TimeSpan.Zero ? pause : TimeSpan.Zero, clock, timer.Token));
            await timer.CancelAsync();
            cancel.ThrowIfCancellationRequested();
        }
    }

    /// <summary>False when the receipt was never issued. An outdated receipt is answered as a success and deletes nothing.</summary>
    public bool Delete(string receipt)
    {
        var parts = receipt.Split('#');
        if (parts.Length != 2 || !Guid.TryParse(parts[0], out _))
        {
            return false;
        }
        lock (_gate)
        {
            _entries.RemoveAll(e => e.Id == parts[0] && Receipt(e) == receipt);
            return true;
        }
    }

    private bool Strikes(int percent) => percent > 0 && _chance.Next(100) < percent;

    private string Put(string body, TimeSpan delay, int at)
    {
        var entry = new Entry(body, clock.GetUtcNow());
        entry.VisibleAt = entry.Sent + delay;
        _entries.Insert(at, entry);
        _arrived.TrySetResult();
        _arrived = NewSignal();
        return entry.Id;
    }

    private static ReceivedMessage Take(Entry entry, DateTimeOffset now, int visibilitySeconds)
    {
        entry.VisibleAt = now.AddSeconds(visibilitySeconds);
        entry.FirstReceived = entry.Receives++ == 0 ? now : entry.FirstReceived;
        return new ReceivedMessage(entry.Id, Receipt(entry), entry.Body, entry.Receives, entry.Sent, entry.FirstReceived);
    }

    private static string Receipt(Entry entry) => string.Create(CultureInfo.InvariantCulture, $"{entry.Id}#{entry.Receives}");

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
