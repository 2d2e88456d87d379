using NetAutomation.Web;

namespace NetAutomation.Billing;

/// <summary>The parts a run's price is made of.</summary>
public enum PriceComponent
{
    Run,
    Device,
    Minute,
}

/// <summary>Properties of components. No switch has a default arm, so that a new component does not compile until each names it.</summary>
internal static class PriceComponents
{
    /// <summary>In the order in which launches and settlements lock free allowances.</summary>
    public static readonly PriceComponent[] All = Enum.GetValues<PriceComponent>();

    /// <summary>As in the database and in SKUs, in that order.</summary>
    public static readonly string[] Names = Array.ConvertAll(All, Wire.Name);

    /// <summary>How many of it a run has.</summary>
    public static long Quantity(this PriceComponent component, long devices, long minutes) => component switch
    {
        PriceComponent.Run => 1,
        PriceComponent.Device => devices,
        PriceComponent.Minute => minutes,
    };

    /// <summary>Its usage is recorded for each device.</summary>
    public static bool IsPerDevice(this PriceComponent component) => component switch
    {
        PriceComponent.Run or PriceComponent.Minute => false,
        PriceComponent.Device => true,
    };

    /// <summary>The plural, as in the customer's usage and in FOCUS.</summary>
    public static string Unit(this PriceComponent component) => component switch
    {
        PriceComponent.Run => "Runs",
        PriceComponent.Device => "Devices",
        PriceComponent.Minute => "Minutes",
    };
}
