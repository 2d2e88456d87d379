using System.Text.Json;
using Amazon.AWSMarketplaceMetering;
using Amazon.AWSMarketplaceMetering.Model;
using Amazon.Runtime;
using NetAutomation.Tunnel;

namespace NetAutomation.Marketplace;

/// <summary>Usage of one customer in one hour, as it is sent.</summary>
/// <param name="LicenseArn">Null for products that are metered by product code.</param>
/// <param name="Allocations">UsageAllocations as JSON; null for none.</param>
internal sealed record UsageReport(
    Guid Id, string? LicenseArn, string Account, string Dimension, DateTimeOffset Hour, int Quantity, string? Allocations);

/// <summary>State of a report after it was sent.</summary>
internal enum UsageVerdict
{
    /// <summary>AWS has it.</summary>
    Accepted,

    /// <summary>AWS had a record of this customer, dimension and hour before; whether the same number is not said.</summary>
    Duplicate,

    NotSubscribed,

    /// <summary>AWS has it not; it may be sent again.</summary>
    Unprocessed,

    /// <summary>The whole request was refused; AWS has none of it.</summary>
    Refused,

    /// <summary>No clear answer: AWS may have it.</summary>
    Unknown,
}

internal sealed record UsageAnswer(UsageVerdict Verdict, string? RecordId = null, string? Code = null);

/// <param name="Answers">One for each report, in its order.</param>
/// <param name="BadRecord">The request was refused because of at least one of its reports.</param>
internal sealed record UsageReply(IReadOnlyList<UsageAnswer> Answers, bool BadRecord);

/// <summary>Reports usage (AWS Marketplace Metering API, BatchMeterUsage). Decides nothing: it returns the answers of AWS.</summary>
internal sealed class UsageMeter([FromKeyedServices(UsageMeter.Client)] IAmazonAWSMarketplaceMetering metering)
{
    /// <summary>Key of the client, which sends once per call.</summary>
    public const string Client = "usage";

    /// <summary>Most reports of one call.</summary>
    public const int MostReports = 25;

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    // AWS answers these where one record of the request is at fault, but does not say which. A wrong product code is none of them: it
    // belongs to the request, so all records wait.
    private static readonly HashSet<string> _faultsOfARecord = new(StringComparer.Ordinal)
    {
        "TimestampOutOfBoundsException", "InvalidLicenseException", "InvalidUsageDimensionException", "InvalidTagException",
        "InvalidUsageAllocationsException", "InvalidCustomerIdentifierException", "ValidationException",
    };

    /// <param name="productCode">Null for a product with concurrent agreements, where the licence of each report says it.</param>
    /// <param name="batch">At most 25 of one product.</param>
    public async Task<UsageReply> Report(string? productCode, IReadOnlyList<UsageReport> batch, CancellationToken cancel)
    {
        using var deadline = cancel.Within(_patience);
        try
        {
            var request = new BatchMeterUsageRequest { ProductCode = productCode, UsageRecords = [.. batch.Select(Record)] };
            var answer = await metering.BatchMeterUsageAsync(request, deadline.Token);
            return new UsageReply(Match(batch, answer), BadRecord: false);
        }
        catch (AmazonServiceException fault) when ((int)fault.StatusCode is >= 400 and < 500 && fault is not InternalServiceErrorException)
        {
            return new UsageReply(
                All(batch, new(UsageVerdict.Refused, Code: fault.ErrorCode)), _faultsOfARecord.Contains(fault.ErrorCode ?? ""));
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            var code = fault is AmazonServiceException { ErrorCode.Length: > 0 } service ? service.ErrorCode : fault.GetType().Name;
            return new UsageReply(All(batch, new(UsageVerdict.Unknown, Code: code)), BadRecord: false);
        }
    }

    private static UsageRecord Record(UsageReport report) => new()
    {
        Timestamp = report.Hour.UtcDateTime,
        CustomerAWSAccountId = report.Account,
        LicenseArn = report.LicenseArn,
        Dimension = report.Dimension,
        Quantity = report.Quantity,
        UsageAllocations = report.Allocations is null ? null : JsonSerializer.Deserialize<List<UsageAllocation>>(report.Allocations),
    };

    private static UsageAnswer[] All(IReadOnlyList<UsageReport> batch, UsageAnswer answer) => [.. batch.Select(_ => answer)];

    /// <summary>Matched by the fields that AWS repeats, not by position; a report that is not mentioned stays unknown.</summary>
    private static UsageAnswer[] Match(IReadOnlyList<UsageReport> batch, BatchMeterUsageResponse answer)
    {
        var answers = All(batch, new(UsageVerdict.Unknown, Code: "NoResult"));
        foreach (var result in answer.Results ?? [])
        {
            Put(result.UsageRecord, result.Status?.Value switch
            {
                "Success" when result.MeteringRecordId is { Length: > 0 } id => new(UsageVerdict.Accepted, id),
                "DuplicateRecord" => new(UsageVerdict.Duplicate, result.MeteringRecordId, "DuplicateRecord"),
                "CustomerNotSubscribed" => new(UsageVerdict.NotSubscribed, Code: "CustomerNotSubscribed"),
                var other => new(UsageVerdict.Unknown, Code: other ?? "NoStatus"),
            });
        }

        foreach (var left in answer.UnprocessedRecords ?? [])
        {
            Put(left, new(UsageVerdict.Unprocessed, Code: "Unprocessed"));
        }

        return answers;

        void Put(UsageRecord? echo, UsageAnswer said)
        {
            var places = Enumerable.Range(0, batch.Count).Where(i => echo is not null && Same(echo, batch[i])).ToList();
            if (places is [var only])
            {
                answers[only] = said;
            }
        }
    }

    private static bool Same(UsageRecord echo, UsageReport report) =>
        (echo.LicenseArn is null || echo.LicenseArn == report.LicenseArn)
        && (echo.CustomerAWSAccountId is null || echo.CustomerAWSAccountId == report.Account)
        && (echo.Dimension is null || echo.Dimension == report.Dimension)
        && (echo.Timestamp is null || echo.Timestamp.Value.ToUniversalTime() == report.Hour.UtcDateTime)
        && (echo.Quantity is null || echo.Quantity == report.Quantity);
}
