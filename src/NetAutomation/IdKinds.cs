namespace NetAutomation;

/// <summary>Identifies a customer.</summary>
public sealed class TenantKind : IIdKind
{
    public static string Prefix => "ten_";
}

/// <summary>Identifies a person or system of a tenant.</summary>
public sealed class MemberKind : IIdKind
{
    public static string Prefix => "mem_";
}

/// <summary>Identifies an API key.</summary>
public sealed class ApiKeyKind : IIdKind
{
    public static string Prefix => "key_";
}

/// <summary>Identifies a network of a tenant.</summary>
public sealed class SiteKind : IIdKind
{
    public static string Prefix => "sit_";
}

/// <summary>Identifies a router or switch.</summary>
public sealed class DeviceKind : IIdKind
{
    public static string Prefix => "dev_";
}

/// <summary>Identifies a test of several devices.</summary>
public sealed class DeviceTestKind : IIdKind
{
    public static string Prefix => "tst_";
}

/// <summary>Identifies a secret used to log in to devices.</summary>
public sealed class CredentialKind : IIdKind
{
    public static string Prefix => "cre_";
}

/// <summary>Identifies a connector.</summary>
public sealed class ConnectorKind : IIdKind
{
    public static string Prefix => "con_";
}

/// <summary>Identifies one attachment of a connector.</summary>
public sealed class ConnectorSessionKind : IIdKind
{
    public static string Prefix => "ses_";
}

/// <summary>Identifies a quote.</summary>
public sealed class QuoteKind : IIdKind
{
    public static string Prefix => "quo_";
}

/// <summary>Identifies a plan: a change that is checked before it is applied.</summary>
public sealed class PlanKind : IIdKind
{
    public static string Prefix => "pln_";
}

/// <summary>Identifies a run.</summary>
public sealed class RunKind : IIdKind
{
    public static string Prefix => "run_";
}

/// <summary>Identifies an order.</summary>
public sealed class PurchaseKind : IIdKind
{
    public static string Prefix => "pur_";
}

/// <summary>Identifies the right an order grants.</summary>
public sealed class EntitlementKind : IIdKind
{
    public static string Prefix => "ent_";
}

/// <summary>Identifies an immutable price.</summary>
public sealed class PriceVersionKind : IIdKind
{
    public static string Prefix => "pri_";
}

/// <summary>Identifies an invoice or statement.</summary>
public sealed class InvoiceKind : IIdKind
{
    public static string Prefix => "inv_";
}

/// <summary>Identifies a correction.</summary>
public sealed class AdjustmentKind : IIdKind
{
    public static string Prefix => "adj_";
}

/// <summary>Identifies a charge.</summary>
public sealed class ChargeKind : IIdKind
{
    public static string Prefix => "chg_";
}

/// <summary>Identifies a payment.</summary>
public sealed class PaymentKind : IIdKind
{
    public static string Prefix => "pay_";
}

/// <summary>Identifies a reversal of a block version's runs.</summary>
public sealed class ReversalKind : IIdKind
{
    public static string Prefix => "rev_";
}

/// <summary>Identifies a metering record.</summary>
public sealed class MeteringRecordKind : IIdKind
{
    public static string Prefix => "met_";
}

/// <summary>Identifies a schedule.</summary>
public sealed class ScheduleKind : IIdKind
{
    public static string Prefix => "sch_";
}

/// <summary>Identifies a maintenance window.</summary>
public sealed class WindowKind : IIdKind
{
    public static string Prefix => "win_";
}

/// <summary>Identifies a Marketplace agreement.</summary>
public sealed class AgreementKind : IIdKind
{
    public static string Prefix => "agr_";
}

/// <summary>Identifies an endpoint connection.</summary>
public sealed class EndpointConnectionKind : IIdKind
{
    public static string Prefix => "epc_";
}

/// <summary>Identifies what an operator asks a second one to approve.</summary>
public sealed class OperatorRequestKind : IIdKind
{
    public static string Prefix => "opr_";
}

/// <summary>Identifies a configuration of a device at a time.</summary>
public sealed class ConfigKind : IIdKind
{
    public static string Prefix => "cfg_";
}

/// <summary>Identifies an audit row.</summary>
public sealed class AuditKind : IIdKind
{
    public static string Prefix => "aud_";
}
