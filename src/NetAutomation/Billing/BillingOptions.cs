using System.ComponentModel.DataAnnotations;

namespace NetAutomation.Billing;

/// <summary>Terms of the invoices; section <c>Billing</c>.</summary>
internal sealed class BillingOptions
{
    /// <summary>Who bills: name and address as they stand on an invoice.</summary>
    [Required]
    [StringLength(500)]
    public string Issuer { get; set; } = "NetAutomation";

    /// <summary>How long after its end a month is left open for corrections before it is closed by itself.</summary>
    [Range(0, 24 * 28)]
    public int GraceHours { get; set; } = 48;

    /// <summary>Until when an invoice is to be paid.</summary>
    [Range(0, 365)]
    public int DueDays { get; set; } = 30;

    /// <summary>How long after that new runs and purchases are refused.</summary>
    [Range(0, 365)]
    public int OverdueDays { get; set; } = 14;
}
