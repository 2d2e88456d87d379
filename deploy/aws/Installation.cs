using Amazon.CDK;

namespace NetAutomation.Deploy;

/// <summary>The stacks of one cell, in the order in which they are created. Cells have nothing in common.</summary>
internal static class Installation
{
    public static void Define(App app, string cell)
    {
        var network = new NetworkStack(app, cell);
        var data = new DataStack(app, cell, network);
        var edge = new EdgeStack(app, cell, network);
        var events = new EventsStack(app, cell, edge);
        new SchemaStack(app, cell, network, data);
        new ServicesStack(app, cell, network, data, edge, events);
        new WatchStack(app, cell, data, edge, events);
    }
}
